import pytest

from localaws.access.identities import Identity
from localaws.access.needs import Need
from localaws.access.policies import InvalidPolicy, decide, decide_resource, parse
from localaws.access.verdicts import refusal

ACCOUNT, OTHER = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs/train"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/train/job-1"
OBJECT = "arn:aws:s3:::data/a.csv"


def statement(effect, action="s3:GetObject", resource=OBJECT, **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_a_deny_wins_wherever_it_stands():
    both = [statement("Allow"), statement("Deny")]
    assert decide([policy(*both)], "s3:GetObject", OBJECT) == "Deny"
    assert decide([policy(*reversed(both))], "s3:GetObject", OBJECT) == "Deny"
    assert decide([policy(both[0]), policy(both[1])], "s3:GetObject", OBJECT) == "Deny"


def test_actions_are_read_without_case_and_resources_with_it():
    assert decide([policy(statement("Allow", "S3:getobject"))], "s3:GetObject", OBJECT) == "Allow"
    assert decide([policy(statement("Allow", "s3:Get*"))], "s3:GetObject", OBJECT) == "Allow"
    assert decide([policy(statement("Allow"))], "s3:GetObject", OBJECT.upper()) == "None"


def test_not_action_and_not_resource_turn_around():
    document = policy({"Effect": "Allow", "NotAction": "s3:Delete*", "NotResource": "arn:aws:s3:::data/secret/*"})
    assert decide([document], "s3:GetObject", OBJECT) == "Allow"
    assert decide([document], "s3:DeleteObject", OBJECT) == "None"
    assert decide([document], "s3:GetObject", "arn:aws:s3:::data/secret/x") == "None"


def test_a_single_statement_needs_no_list():
    assert decide([{"Statement": statement("Allow")}], "s3:GetObject", OBJECT) == "Allow"


@pytest.mark.parametrize(
    ("principal", "said"),
    [
        ("*", "Allow"),
        ({"AWS": "*"}, "Allow"),
        ({"AWS": ACCOUNT}, "Allow"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Allow"),
        ({"AWS": [ROLE]}, "Allow"),
        ({"AWS": SESSION}, "Allow"),
        ({"AWS": OTHER}, "None"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/train"}, "None"),
        ({"Service": "events.amazonaws.com"}, "None"),
    ],
)
def test_principals_of_a_resource_policy(principal, said):
    document = policy(statement("Allow", Principal=principal))
    assert decide_resource(document, SESSION, "s3:GetObject", OBJECT, {"aws:PrincipalArn": ROLE}) == said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("{}", "no Statement"),
        ("[]", "no Statement"),
        ('{"Statement": [{"Effect": "Maybe", "Action": "*"}]}', "statement 1 needs the Effect"),
        ('{"Statement": [{"Effect": "Deny"}]}', "statement 1 has no Action"),
    ],
)
def test_what_is_no_policy_is_told(text, sentence):
    with pytest.raises(InvalidPolicy, match=sentence):
        parse(text)


def caller(own, boundary=None):
    return Identity(ACCOUNT, SESSION, ROLE, False, (policy(*own),), boundary)


def verdict(own=(), resource=(), owner=ACCOUNT, action="s3:GetObject", boundary=None):
    return refusal(caller(own, boundary), Need(action, OBJECT), owner, policy(*resource) if resource else None, {})


TO_ROLE, TO_ACCOUNT = {"Principal": {"AWS": ROLE}}, {"Principal": {"AWS": ACCOUNT}}
SENTENCE = f'User: {SESSION} is not authorized to perform: s3:GetObject on resource: "{OBJECT}" '


def test_within_an_account_one_allow_is_enough():
    assert verdict(own=[statement("Allow")]) is None
    assert verdict(resource=[statement("Allow", **TO_ROLE)]) is None


def test_a_policy_that_names_the_own_account_only_lets_it_decide():
    reason = "because no identity-based policy allows the s3:GetObject action"
    assert verdict(resource=[statement("Allow", **TO_ACCOUNT)]) == SENTENCE + reason


def test_across_accounts_both_must_allow():
    to_account = [statement("Allow", **TO_ACCOUNT)]
    assert verdict(own=[statement("Allow")], resource=to_account, owner=OTHER) is None
    assert "no identity-based policy" in verdict(resource=to_account, owner=OTHER)
    assert "no resource-based policy" in verdict(own=[statement("Allow")], owner=OTHER)


def test_each_deny_names_where_it_stands():
    allowed = [statement("Allow")]
    said = verdict(own=[*allowed, statement("Deny")])
    assert said == SENTENCE + "with an explicit deny in an identity-based policy"
    said = verdict(own=allowed, resource=[statement("Deny", Principal="*")])
    assert said == SENTENCE + "with an explicit deny in a resource-based policy"
    said = verdict(own=allowed, boundary=(policy(statement("Deny")),))
    assert said == SENTENCE + "with an explicit deny in a permissions boundary"


def test_a_boundary_limits_what_is_allowed():
    boundary = (policy(statement("Allow", "s3:Put*")),)
    reason = "because no permissions boundary allows the s3:GetObject action"
    assert verdict(own=[statement("Allow")], boundary=boundary) == SENTENCE + reason


def test_a_key_s_policy_must_open_the_key_to_its_own_account():
    own = [statement("Allow", "kms:*", "*")]
    use = Need("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k")
    opened = policy(statement("Allow", "kms:*", "*", **TO_ACCOUNT))
    assert "no resource-based policy" in refusal(caller(own), use, ACCOUNT, None, {})
    assert refusal(caller(own), use, ACCOUNT, opened, {}) is None
    # What isn't a key has no policy of its own.
    assert refusal(caller(own), Need("kms:ListAliases", "*"), ACCOUNT, None, {}) is None


def test_a_root_may_do_everything_in_its_account_and_asks_elsewhere():
    root = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:root", root=True)
    need = Need("s3:GetObject", OBJECT)
    assert refusal(root, need, ACCOUNT, None, {}) is None
    assert "no resource-based policy" in refusal(root, need, OTHER, None, {})
    assert refusal(root, need, OTHER, policy(statement("Allow", **TO_ACCOUNT)), {}) is None
