// Runs a declarative Jenkinsfile on this machine, as Jenkins' own ModelInterpreter orders it: a stage's options first,
// then its input, then its agent and condition, then its environment, then its steps or nested stages, then post.
// What Jenkins would refuse when it reads the file is refused: a section, option, condition or step that isn't one.
//
//   java -cp 'lib/*:classes' declarative JENKINSFILE SCENARIO.json
//
// The scenario says what Jenkins and people would: branch, job name, params, answers to input, credentials, users'
// groups, and which commands are run for real ("run": regular expressions); the others are only written down. Every
// step is a line of JSON in the scenario's "trace" file. Exit code 0 is SUCCESS, 1 FAILURE, 2 ABORTED, 3 a wrong file.

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardOpenOption

class Interpreter {
    Map scenario
    Env env = new Env()
    Map params = [:]
    List<String> locks = [], path = [], inputs = []
    int nodes = 0
    Map root

    // Reading: the file becomes a tree of maps; conditions, values and steps stay closures until their time comes.

    Map pipeline(Closure body) {
        Map found = [stages: [], options: [], parameters: [], post: [:], environment: null, agent: null]
        Section.read('pipeline', [
            agent: { Object... a -> found.agent = agent(a) },
            options: { Closure c -> found.options = options('pipeline', c) },
            parameters: { Closure c -> found.parameters = parameters('pipeline', c) },
            environment: { Closure c -> found.environment = c },
            stages: { Closure c -> found.stages = stages('pipeline', c) },
            post: { Closure c -> found.post = post('pipeline', c) },
        ], body)
        if (found.agent == null) throw new WrongFile('pipeline has no agent.')
        if (!found.stages) throw new WrongFile('pipeline has no stages.')
        return root = found
    }

    List<Map> stages(String where, Closure body) {
        List<Map> found = []
        Section.read("stages of $where", [stage: { String name, Closure c -> found << stage(name, c) }], body)
        return found
    }

    Map stage(String name, Closure body) {
        Map found = [name: name, options: [], post: [:], stages: null, steps: null, input: null, when: null,
                     environment: null, agent: null]
        Section.read("stage '$name'", [
            agent: { Object... a -> found.agent = agent(a) },
            options: { Closure c -> found.options = options("stage '$name'", c) },
            environment: { Closure c -> found.environment = c },
            input: { Closure c -> found.input = input(name, c) },
            when: { Closure c -> found.when = when(name, c) },
            steps: { Closure c -> found.steps = c },
            stages: { Closure c -> found.stages = stages("stage '$name'", c) },
            post: { Closure c -> found.post = post("stage '$name'", c) },
        ], body)
        if ((found.steps == null) == (found.stages == null)) throw new WrongFile("stage '$name' needs steps or stages, not both.")
        return found
    }

    String agent(Object[] given) {
        if (given.length == 1 && given[0] in ['any', 'none']) return given[0]
        if (given.length == 1 && given[0] instanceof Closure) {
            String label = null
            Section.read('agent', [label: { String l -> label = l }], given[0])
            if (label) return "label $label"
        }
        throw new WrongFile('agent is any, none, or a block with a label.')
    }

    List options(String where, Closure body) {
        List found = []
        def simple = { String name -> [(name): { Object... a -> found << [name, a ? a[0] : null] }] }
        Map known = simple('timeout') + simple('lock') + simple('timestamps') + simple('retry') + simple('skipDefaultCheckout')
        if (where == 'pipeline') {
            ['disableConcurrentBuilds', 'buildDiscarder', 'skipStagesAfterUnstable', 'durabilityHint', 'preserveStashes'].each { known += simple(it) }
            known += [logRotator: { Map m -> m }]
        }
        Section.read("options of $where", known, body)
        found.findAll { it[0] == 'timeout' }.each { if (!(it[1]?.time)) throw new WrongFile("$where: a timeout has a time.") }
        return found
    }

    List<Map> parameters(String where, Closure body) {
        List<Map> found = []
        Map known = ['string', 'text', 'booleanParam', 'choice'].collectEntries { kind ->
            [(kind): { Map m ->
                if (!m.name) throw new WrongFile("$where: a parameter has a name.")
                found << [name: m.name, value: kind == 'choice' ? (m.choices as List)[0] : m.defaultValue, choices: m.choices as List]
            }]
        }
        Section.read("parameters of $where", known, body)
        return found
    }

    Map input(String stage, Closure body) {
        Map found = [message: null, parameters: []]
        Map known = ['message', 'id', 'ok', 'submitter', 'submitterParameter'].collectEntries { name ->
            [(name): { Object value -> found[name] = value.toString() }]
        }
        known.parameters = { Closure c -> found.parameters = parameters("input of '$stage'", c) }
        Section.read("input of '$stage'", known, body)
        if (!found.message) throw new WrongFile("input of '$stage' has no message.")
        return found
    }

    Map when(String stage, Closure body) {
        Map found = [conditions: [], beforeInput: false, beforeAgent: false, beforeOptions: false]
        Map known = ['beforeInput', 'beforeAgent', 'beforeOptions'].collectEntries { name -> [(name): { boolean on -> found[name] = on }] }
        Section.read("when of '$stage'", known + conditions(found.conditions, stage), body)
        if (!found.conditions) throw new WrongFile("when of '$stage' has no condition.")
        return found
    }

    Map conditions(List into, String stage) {
        def group = { String name, Closure how ->
            [(name): { Closure c ->
                List inner = []
                Section.read("$name of '$stage'", conditions(inner, stage), c)
                into << { how(inner) }
            }]
        }
        return [
            branch: { String name -> into << { scenario.branch == name } },
            expression: { Closure c -> into << { delegated(c) as boolean } },
            environment: { Map m -> into << { env.all()[m.name] == m.value } },
        ] + group('anyOf') { l -> l.any { it() } } + group('allOf') { l -> l.every { it() } } + group('not') { l -> !l.every { it() } }
    }

    Map post(String where, Closure body) {
        Map found = [:]
        Map known = ['always', 'success', 'failure', 'unsuccessful', 'aborted', 'changed', 'fixed', 'cleanup'].collectEntries { name ->
            [(name): { Closure c -> found[name] = c }]
        }
        Section.read("post of $where", known, body)
        return found
    }

    // Running.

    String run() {
        params = root.parameters.collectEntries { p ->
            def value = scenario.params.containsKey(p.name) ? scenario.params[p.name] : p.value
            if (p.choices && !(value in p.choices)) throw new WrongFile("parameter ${p.name} is none of ${p.choices.join(', ')}.")
            [(p.name): value]
        }
        env.build = [BUILD_TAG: "jenkins-${scenario.job}-${scenario.number}".toString(), BUILD_NUMBER: "${scenario.number}".toString(),
                     JOB_NAME: scenario.job, BRANCH_NAME: scenario.branch, BUILD_URL: "https://jenkins.example/job/${scenario.job}/${scenario.number}/".toString()]
        env.build.putAll(scenario.env ?: [:])
        params.each { k, v -> env.build[k] = v.toString() }
        String result = 'SUCCESS'
        Throwable error = null
        try {
            around(root.options) { environment(root.environment) { inAgent(root.agent) { sequence(root.stages) } } }
        } catch (WrongFile e) {
            throw e
        } catch (Throwable e) {
            error = e
            result = e instanceof Aborted ? 'ABORTED' : 'FAILURE'
            trace(event: 'error', said: e.message)
        }
        environment(root.environment) { after(root.post, result) }
        trace(event: 'result', result: result)
        return result
    }

    void sequence(List<Map> stages) { stages.each { execute(it) } }

    void execute(Map stage) {
        path << stage.name
        String result = 'SUCCESS'
        boolean entered = false
        try {
            Closure body = {
                boolean early = stage.when?.beforeInput || stage.when?.beforeOptions
                if (early && !holds(stage)) return
                answered(stage) {
                    if (!early && stage.when?.beforeAgent && !holds(stage)) return
                    inAgent(stage.agent) {
                        if (!early && !stage.when?.beforeAgent && !holds(stage)) return
                        entered = true
                        environment(stage.environment) {
                            try {
                                trace(event: 'stage')
                                if (stage.stages) sequence(stage.stages) else Section.read("steps of '${stage.name}'", steps(), stage.steps)
                            } catch (Throwable e) {
                                result = e instanceof Aborted ? 'ABORTED' : 'FAILURE'
                                throw e
                            } finally {
                                after(stage.post, result)
                            }
                        }
                    }
                }
            }
            if (stage.when?.beforeOptions && !holds(stage)) return
            around(stage.options, body)
        } finally {
            if (!entered) trace(event: 'skipped')
            path.remove(path.size() - 1)
        }
    }

    boolean holds(Map stage) { stage.when == null || stage.when.conditions.every { it() } }

    def around(List options, Closure body) {
        if (!options) return body()
        def (name, value) = options[0]
        Closure rest = { around(options.drop(1), body) }
        if (name != 'lock') return rest()
        return locked(value instanceof Map ? value.resource : value.toString(), rest)
    }

    /** Holds one of Jenkins' lockable resources: other builds, which are other processes here, wait for it. */
    def locked(String resource, Closure body) {
        FileChannel file = FileChannel.open(Path.of(scenario.folder, "lock-$resource"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)
        def held = file.lock()
        locks << resource
        trace(event: 'locked', resource: resource)
        try { return body() } finally { locks.remove(locks.size() - 1); held.release(); file.close() }
    }

    def answered(Map stage, Closure body) {
        Map input = stage.input
        if (input == null) return body()
        Map answer = scenario.answers[stage.name]
        trace(event: 'input', message: input.message, submitter: input.submitter, holds: locks + [], node: nodes > 0)
        if (answer == null || answer.abort) throw new Aborted("${answer?.by ?: 'Nobody'} refused: ${input.message}")
        if (input.submitter && !(input.submitter.split(',').any { it.trim() in ([answer.by] + (scenario.groups[answer.by] ?: [])) })) {
            throw new Failed("${answer.by} may not submit: only ${input.submitter}.")
        }
        Map values = input.parameters.collectEntries { [(it.name): (answer.values?.get(it.name) ?: it.value ?: '').toString()] }
        if (input.submitterParameter) values[input.submitterParameter] = answer.by
        return env.with(values, body)
    }

    def inAgent(String agent, Closure body) {
        if (agent == null || agent == 'none') return body()
        nodes++
        try { return body() } finally { nodes-- }
    }

    def environment(Closure block, Closure body) {
        if (block == null) return body()
        Map values = [:]
        Closure set = { String name, Object value -> values[name] = value.toString() }
        Closure look = { String name -> values[name] ?: env.all()[name] }
        Section.read('environment', [credentials: { String id ->
            if (!scenario.credentials.containsKey(id)) throw new Failed("Could not find credentials entry with ID '$id'")
            scenario.credentials[id]
        }], block, set, look)
        return env.with(values, body)
    }

    void after(Map post, String result) {
        def due = { String name ->
            name in ['always', 'cleanup'] || (name == 'success' && result == 'SUCCESS') || (name == 'failure' && result == 'FAILURE') ||
                (name == 'aborted' && result == 'ABORTED') || (name == 'unsuccessful' && result != 'SUCCESS')
        }
        ['always', 'changed', 'fixed', 'aborted', 'failure', 'success', 'unsuccessful', 'cleanup'].each { name ->
            if (post[name] && due(name)) Section.read("post $name", steps(), post[name])
        }
    }

    Map<String, Closure> steps() {
        return [
            sh: { Object given -> sh(given instanceof Map ? given.script : given.toString()) },
            echo: { Object said -> trace(event: 'echo', said: said.toString()) },
            error: { Object said -> throw new Failed(said.toString()) },
            script: { Closure c -> Section.read('script', steps(), c, null, this.&outside) },
            junit: { Object given -> onNode('junit', given) },
            archiveArtifacts: { Object given -> onNode('archiveArtifacts', given) },
            readFile: { Object name -> needsNode('readFile'); new File(scenario.workspace, name.toString()).text },
            stash: { Map given -> stash(given.name, given.includes) },
            unstash: { String name -> unstash(name) },
            mail: { Map given ->
                if (!given.to || !given.subject || !given.body) throw new WrongFile('mail has to, subject and body.')
                trace(event: 'mail', to: given.to.toString(), subject: given.subject.toString(), body: given.body.toString())
            },
        ]
    }

    def outside(String name) { null }

    def delegated(Closure c) { return Section.read('expression', [:], c) }

    void needsNode(String step) { if (!nodes) throw new Failed("$step needs an agent: Required context class hudson.FilePath is missing") }

    void onNode(String step, Object given) {
        needsNode(step)
        trace(event: step, given: given instanceof Map ? given : [value: given.toString()])
    }

    void sh(String script) {
        needsNode('sh')
        boolean real = scenario.run.any { script ==~ it }
        trace(event: 'sh', script: script, env: env.all(), holds: locks + [], real: real)
        if (!real) return
        ProcessBuilder builder = new ProcessBuilder('sh', '-xec', script).directory(new File(scenario.workspace)).redirectErrorStream(true)
        builder.environment().putAll(env.all())
        Process process = builder.start()
        process.outputStream.close()
        process.inputStream.eachLine { println it; System.out.flush() }
        int code = process.waitFor()
        trace(event: 'exit', script: script, code: code)
        if (code) throw new Failed("script returned exit code $code")
    }

    void stash(String name, String includes) {
        needsNode('stash')
        Path target = Path.of(scenario.folder, 'stash', name)
        Path workspace = Path.of(scenario.workspace)
        def matcher = workspace.fileSystem.getPathMatcher("glob:$includes")
        Path folder = workspace.resolve(includes.substring(0, includes.lastIndexOf('/')))
        List<Path> files = Files.isDirectory(folder) ? Files.list(folder).filter { matcher.matches(workspace.relativize(it)) }.toList() : []
        if (!files) throw new Failed("No files included in stash '$name'")
        files.each { file ->
            Path relative = workspace.relativize(file)
            Files.createDirectories(target.resolve(relative).parent)
            Files.write(target.resolve(relative), Files.readAllBytes(file))
        }
        trace(event: 'stash', name: name, files: files.size())
    }

    void unstash(String name) {
        needsNode('unstash')
        Path source = Path.of(scenario.folder, 'stash', name)
        if (!Files.isDirectory(source)) throw new Failed("No such saved stash '$name'")
        Files.walk(source).filter { Files.isRegularFile(it) }.forEach { file ->
            Path target = Path.of(scenario.workspace).resolve(source.relativize(file))
            Files.createDirectories(target.parent)
            Files.write(target, Files.readAllBytes(file))
        }
        trace(event: 'unstash', name: name)
    }

    void trace(Map what) {
        new File(scenario.trace).append(JsonOutput.toJson([stage: path.join(' / ')] + what) + '\n')
    }
}

def interpreter = new Interpreter(scenario: new JsonSlurper().parse(new File(args[1])))
def binding = new Binding([
    pipeline: { Closure body -> interpreter.pipeline(body) },
    env: interpreter.env,
    any: 'any', none: 'none',
])
try {
    def shell = new GroovyShell(binding)
    def script = shell.parse(new File(args[0]))
    binding.setVariable('params', new Object() { def getProperty(String name) { interpreter.params[name] } })
    script.run()
    if (interpreter.root == null) throw new WrongFile('There is no pipeline block.')
    String result = interpreter.run()
    println "Finished: $result"
    System.exit([SUCCESS: 0, FAILURE: 1, ABORTED: 2][result])
} catch (WrongFile | org.codehaus.groovy.control.CompilationFailedException | MissingPropertyException e) {
    System.err.println(e.message)
    System.exit(3)
}
