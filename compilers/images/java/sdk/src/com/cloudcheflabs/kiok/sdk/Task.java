package com.cloudcheflabs.kiok.sdk;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A task of a {@link Dag}, created by {@link Dag#task(String)}. Every method returns the task itself.
 *
 * <p>A task has one type. {@link #shell}, {@link #python}, {@link #http}, {@link #livy}, {@link #trino} and the
 * {@code ontul} methods set it; the last call wins. The other methods add to the task's configuration,
 * whose keys and values are those of {@link #config}.
 */
public class Task {

    private final String id;
    private String type = "shell";
    private String script;
    private final List<String> requires = new ArrayList<>();
    private Long timeoutMs;
    private Integer retries;
    private Long retryDelayMs;
    private String runs;
    private String image;
    private final Map<String, String> config = new LinkedHashMap<>();
    private final Map<String, String> livyConf = new LinkedHashMap<>();

    Task(String id) {
        this.id = id;
    }

    // Any task.

    /** Sets the type by name, such as {@code java} or {@code python_callable}; set its parameters with {@link #config}. */
    public Task type(String type) {
        this.type = type;
        return this;
    }

    /** Sets the text to run: a shell or Python script, or SQL. */
    public Task script(String script) {
        this.script = script;
        return this;
    }

    /** Adds tasks, by id, that must succeed before this one starts. */
    public Task requires(String... taskIds) {
        requires.addAll(Arrays.asList(taskIds));
        return this;
    }

    /** Sets one configuration value; a later value of the same key replaces it. */
    public Task config(String key, String value) {
        config.put(key, value);
        return this;
    }

    /** Sets the time limit in milliseconds; the DAG's default unless set. */
    public Task timeoutMs(long timeoutMs) {
        this.timeoutMs = timeoutMs;
        return this;
    }

    /** Sets how often a failed attempt is retried; the DAG's default unless set. */
    public Task retries(int retries) {
        this.retries = retries;
        return this;
    }

    /** Sets the delay in milliseconds before the first retry, which doubles with each; the DAG's default unless set. */
    public Task retryDelayMs(long retryDelayMs) {
        this.retryDelayMs = retryDelayMs;
        return this;
    }

    /** Sets when the task runs: {@code on_success} of the tasks that it requires (the default), or {@code always}. */
    public Task runs(String runs) {
        this.runs = runs;
        return this;
    }

    /** Sets the container image of a shell, Python or Java task. */
    public Task image(String image) {
        this.image = image;
        return this;
    }

    // Scripts and HTTP.

    /** Runs a shell script. */
    public Task shell(String script) {
        return type("shell").script(script);
    }

    /** Runs a Python script. */
    public Task python(String script) {
        return type("python").script(script);
    }

    /** Calls a URL; set method, headers and body with {@link #config}. */
    public Task http(String url) {
        return type("http").config("url", url);
    }

    // Spark jobs through Livy.

    /** Runs a Spark batch through the Livy server at this URL. */
    public Task livy(String url) {
        return type("livy").config("livy.url", url);
    }

    /** The same as {@link #livy}. */
    public Task livyUrl(String url) {
        return livy(url);
    }

    /** Sets the application: a jar or a Python file that the cluster can read. */
    public Task livyFile(String file) {
        return config("livy.file", file);
    }

    /** Sets the main class of a jar. */
    public Task livyClassName(String className) {
        return config("livy.className", className);
    }

    /** Sets the application's arguments; replaces earlier ones. */
    public Task livyArgs(String... args) {
        return config("livy.args", Json.list(Arrays.asList(args)));
    }

    /** Adds one Spark property. */
    public Task livyConf(String key, String value) {
        livyConf.put(key, value);
        return config("livy.conf", Json.map(livyConf));
    }

    /** Sets jars to add to the class path; replaces earlier ones. */
    public Task livyJars(String... jars) {
        return config("livy.jars", Json.list(Arrays.asList(jars)));
    }

    /** Sets the memory of the driver, such as {@code 2g}. */
    public Task livyDriverMemory(String memory) {
        return config("livy.driverMemory", memory);
    }

    /** Sets the memory of each executor, such as {@code 4g}. */
    public Task livyExecutorMemory(String memory) {
        return config("livy.executorMemory", memory);
    }

    /** Sets the number of executors. */
    public Task livyNumExecutors(int executors) {
        return config("livy.numExecutors", Integer.toString(executors));
    }

    /** Sets the YARN queue. */
    public Task livyQueue(String queue) {
        return config("livy.queue", queue);
    }

    /** Sets the display name of the batch. */
    public Task livyName(String name) {
        return config("livy.name", name);
    }

    /** Sets the user that the batch runs as. */
    public Task livyProxyUser(String user) {
        return config("livy.proxyUser", user);
    }

    /** Sets the milliseconds between two polls of the batch's state. */
    public Task livyPollIntervalMs(long pollIntervalMs) {
        return config("livy.pollIntervalMs", Long.toString(pollIntervalMs));
    }

    // SQL through Trino.

    /** Runs SQL on the Trino server at this URL as this user. */
    public Task trino(String url, String user, String sql) {
        return type("trino").config("trino.url", url).config("trino.user", user).script(sql);
    }

    /** Sets the user's password, preferably a {@link Conn} reference. */
    public Task trinoPassword(String password) {
        return config("trino.password", password);
    }

    /** Sets the catalog of unqualified names. */
    public Task trinoCatalog(String catalog) {
        return config("trino.catalog", catalog);
    }

    /** Sets the schema of unqualified names. */
    public Task trinoSchema(String schema) {
        return config("trino.schema", schema);
    }

    // Ontul jobs.

    /** Runs SQL as a job of the named type (such as {@code BATCH}) on the Ontul server at this URL. */
    public Task ontul(String url, String jobType, String sql) {
        return ontulUrl(url).config("ontul.jobType", jobType).script(sql);
    }

    /** Runs a class as an Ontul job. Dependencies and arguments that are null are omitted. */
    public Task ontulClass(String className, List<String> deps, Map<String, String> args) {
        type("ontul").config("ontul.jobType", "CLASS").config("ontul.className", className);
        return ontulDepsAndArgs(deps, args);
    }

    /** Runs a Python script as an Ontul job. Dependencies and arguments that are null are omitted. */
    public Task ontulPython(String scriptPath, List<String> deps, Map<String, String> args) {
        type("ontul").config("ontul.jobType", "PYTHON").config("ontul.scriptPath", scriptPath);
        return ontulDepsAndArgs(deps, args);
    }

    private Task ontulDepsAndArgs(List<String> deps, Map<String, String> args) {
        if (deps != null) {
            config("ontul.deps", Json.list(deps));
        }
        if (args != null) {
            config("ontul.args", Json.map(args));
        }
        return this;
    }

    /** Makes the task an Ontul job on the server at this URL. */
    public Task ontulUrl(String url) {
        return type("ontul").config("ontul.url", url);
    }

    /** Sets the token, preferably a {@link Conn} reference. */
    public Task ontulToken(String token) {
        return config("ontul.token", token);
    }

    /** Sets the settings of the job itself; replaces earlier ones. */
    public Task ontulJobConfig(Map<String, String> jobConfig) {
        return config("ontul.jobConfig", Json.map(jobConfig));
    }

    void appendJson(StringBuilder out) {
        out.append("{\"id\":");
        Json.wireString(out, id);
        out.append(",\"type\":");
        Json.wireString(out, type);
        out.append(",\"script\":");
        Json.wireString(out, script);
        out.append(",\"requires\":[");
        for (String taskId : requires) {
            Json.separate(out, '[');
            Json.wireString(out, taskId);
        }
        out.append("],\"timeoutMs\":").append(timeoutMs);
        out.append(",\"config\":{");
        for (Map.Entry<String, String> entry : config.entrySet()) {
            Json.separate(out, '{');
            // A null key has no JSON form; the compiler reports the empty string instead.
            Json.wireString(out, entry.getKey() == null ? "" : entry.getKey());
            out.append(':');
            Json.wireString(out, entry.getValue());
        }
        out.append('}');
        Json.field(out, "retries", retries);
        Json.field(out, "retryDelayMs", retryDelayMs);
        Json.field(out, "runs", runs);
        Json.field(out, "image", image);
        out.append('}');
    }
}
