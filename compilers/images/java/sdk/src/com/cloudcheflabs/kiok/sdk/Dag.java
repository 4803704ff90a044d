package com.cloudcheflabs.kiok.sdk;

import java.util.ArrayList;
import java.util.List;

/**
 * A workflow: tasks and the order they run in.
 *
 * <pre>{@code
 * Dag dag = new Dag("nightly").schedule("0 3 * * *");
 * dag.task("extract").shell("extract.sh");
 * dag.task("load").shell("load.sh").requires("extract").timeoutMs(300_000);
 * return dag;
 * }</pre>
 *
 * <p>Nothing is checked while a DAG is built; the compiler checks the whole of it afterwards and names every
 * problem at once.
 */
public class Dag {

    private final String id;
    private String name;
    private String description;
    private String schedule;
    private boolean catchup;
    private Long defaultTimeoutMs;
    private final List<Task> tasks = new ArrayList<>();

    /** A DAG without tasks. The id starts with a letter or digit; then letters, digits, {@code . _ -}; 250 at most. */
    public Dag(String id) {
        this.id = id;
        this.name = id;
    }

    /** The name people see; the id unless set. */
    public Dag name(String name) {
        this.name = name;
        return this;
    }

    /** Free text. */
    public Dag description(String description) {
        this.description = description;
        return this;
    }

    /** When it runs, as a cron expression of five fields. Without one it runs only when started by hand. */
    public Dag schedule(String schedule) {
        this.schedule = schedule;
        return this;
    }

    /** Whether runs missed while the scheduler was down are made up for. False unless set. */
    public Dag catchup(boolean catchup) {
        this.catchup = catchup;
        return this;
    }

    /** The time limit, in milliseconds, of every task that sets none. */
    public Dag defaultTimeoutMs(long defaultTimeoutMs) {
        this.defaultTimeoutMs = defaultTimeoutMs;
        return this;
    }

    /** Adds a task, a shell task until told otherwise, and returns it to be described. */
    public Task task(String id) {
        Task task = new Task(id);
        tasks.add(task);
        return task;
    }

    /** The DAG in its compiled form, a JSON object with every key; handy in an author's own tests. */
    public final String toJson() {
        StringBuilder out = new StringBuilder("{\"id\":");
        Json.wireString(out, id);
        out.append(",\"name\":");
        Json.wireString(out, name);
        out.append(",\"description\":");
        Json.wireString(out, description);
        out.append(",\"schedule\":");
        Json.wireString(out, schedule);
        out.append(",\"catchup\":").append(catchup);
        out.append(",\"defaultTimeoutMs\":").append(defaultTimeoutMs);
        out.append(",\"tasks\":[");
        for (Task task : tasks) {
            Json.separate(out, '[');
            task.appendJson(out);
        }
        return out.append("]}").toString();
    }
}
