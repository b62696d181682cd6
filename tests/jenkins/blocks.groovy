// What a Jenkinsfile's blocks may say, and the variables around a step.

class WrongFile extends RuntimeException { WrongFile(String said) { super(said) } }
class Aborted extends RuntimeException { Aborted(String said) { super(said) } }
class Failed extends RuntimeException { Failed(String said) { super(said) } }

/** Takes the calls of one block, and only those that its section knows. */
class Section {
    String where
    Map<String, Closure> known
    Closure assign
    Closure look

    def invokeMethod(String name, Object given) {
        if (!known.containsKey(name)) throw new WrongFile("$where has no $name; there are ${known.keySet().sort().join(', ')}.")
        return known[name](*((given as Object[]) as List))
    }

    def getProperty(String name) {
        if (name in ['where', 'known', 'assign', 'look']) return this.@"$name"
        // `agent any` and `steps { checkout scm }` name things; what isn't one is looked for outside the block.
        if (known.containsKey(name)) return known[name]()
        if (look != null) { def found = look(name); if (found != null) return found }
        throw new MissingPropertyException(name, Section)
    }

    void setProperty(String name, Object value) {
        if (name in ['where', 'known', 'assign', 'look']) { this.@"$name" = value; return }
        if (assign == null) throw new WrongFile("$where takes no assignment to $name.")
        assign(name, value)
    }

    static Object read(String where, Map<String, Closure> known, Closure body, Closure assign = null, Closure look = null) {
        Closure block = (Closure) body.clone()
        block.delegate = new Section(where: where, known: known, assign: assign, look: look)
        block.resolveStrategy = Closure.DELEGATE_FIRST
        return block.call()
    }
}

/** The variables of a build: parameters, what scripts assigned, and what blocks around a step add, innermost last. */
class Env {
    Map<String, String> build = [:]
    Map<String, String> assigned = [:]
    List<Map<String, String>> around = []

    Map<String, String> all() {
        Map<String, String> result = [:]
        result.putAll(build); result.putAll(assigned); around.each { result.putAll(it) }
        return result
    }

    def getProperty(String name) { name in ['build', 'assigned', 'around'] ? this.@"$name" : all()[name] }
    void setProperty(String name, Object value) {
        if (name in ['build', 'assigned', 'around']) this.@"$name" = value else assigned[name] = value.toString()
    }
    def with(Map<String, String> more, Closure body) {
        around << more
        try { return body() } finally { around.remove(around.size() - 1) }
    }
}
