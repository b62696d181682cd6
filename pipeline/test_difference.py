from pipeline.difference import differences


def test_equal_values_do_not_differ():
    value = {"a": [1, {"b": None}], "c": "d"}
    assert list(differences(value, value)) == []


def test_a_difference_is_reported_by_its_path():
    left = {"Steps": [{"Name": "Train", "Arguments": {"N": [1, 2]}}]}
    right = {"Steps": [{"Name": "Train", "Arguments": {"N": [1, 3]}}]}
    assert list(differences(left, right)) == [("Steps[Train].Arguments.N[1]", 2, 3)]


def test_what_only_one_side_has_differs():
    assert list(differences({"a": 1}, {"b": 2})) == [("a", 1, None), ("b", None, 2)]


def test_lists_of_another_length_differ_as_a_whole():
    assert list(differences({"a": [1]}, {"a": [1, 2]})) == [("a", [1], [1, 2])]


def test_another_type_differs():
    assert list(differences({"a": {"b": 1}}, {"a": [1]})) == [("a", {"b": 1}, [1])]
