package com.cloudcheflabs.kiok.sdk;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A workflow: tasks and the order in which they run.
 *
 * <pre>{@code
 * Dag dag = new Dag("nightly").schedule("0 3 * * *");
 * dag.task("extract").shell("extract.sh");
 * dag.task("load").shell("load.sh").requires("extract").timeoutMs(300_000);
 * return dag;
 * }</pre>
 *
 * <p>Nothing is checked while a DAG is built. The compiler checks the whole DAG afterwards and reports all
 * problems together.
 */
public class Dag {

    private final String id;
    private String name;
    private String description;
    private String schedule;
    private boolean catchup;
    private Long defaultTimeoutMs;
    private String owner;
    private final List<String> tags = new ArrayList<>();
    private String timezone;
    private Integer maxActiveRuns;
    private String overlap;
    private Long catchupWindowMs;
    private final List<Param> params = new ArrayList<>();
    private Integer retries;
    private Long retryDelayMs;
    private final List<Task> tasks = new ArrayList<>();

    /** Creates a DAG without tasks. The id starts with a letter or digit, then letters, digits, {@code . _ -}; at most 250. */
    public Dag(String id) {
        this.id = id;
        this.name = id;
    }

    /** Sets the display name; the id by default. */
    public Dag name(String name) {
        this.name = name;
        return this;
    }

    /** Sets a description, any text. */
    public Dag description(String description) {
        this.description = description;
        return this;
    }

    /** Sets the schedule, a cron expression of five fields. Without one the DAG runs only when started manually. */
    public Dag schedule(String schedule) {
        this.schedule = schedule;
        return this;
    }

    /** Sets whether runs missed while the scheduler was down are run later. False by default. */
    public Dag catchup(boolean catchup) {
        this.catchup = catchup;
        return this;
    }

    /** Sets the time limit, in milliseconds, of every task without its own. */
    public Dag defaultTimeoutMs(long defaultTimeoutMs) {
        this.defaultTimeoutMs = defaultTimeoutMs;
        return this;
    }

    /** Sets the owner, a team or a person; the owner of the repository by default. */
    public Dag owner(String owner) {
        this.owner = owner;
        return this;
    }

    /** Adds tags, words to find the DAG by. */
    public Dag tags(String... tags) {
        this.tags.addAll(Arrays.asList(tags));
        return this;
    }

    /** Sets the time zone of the schedule and of dates, an IANA name such as {@code Europe/Berlin}; UTC by default. */
    public Dag timezone(String timezone) {
        this.timezone = timezone;
        return this;
    }

    /** Sets how many runs of the DAG may be active at the same time; 1 by default. */
    public Dag maxActiveRuns(int maxActiveRuns) {
        this.maxActiveRuns = maxActiveRuns;
        return this;
    }

    /** Sets what happens to a run beyond {@link #maxActiveRuns}: {@code queue} (the default) or {@code skip}. */
    public Dag overlap(String overlap) {
        this.overlap = overlap;
        return this;
    }

    /** Sets how far back, in milliseconds, missed runs are run later. Only with {@link #catchup}. */
    public Dag catchupWindowMs(long catchupWindowMs) {
        this.catchupWindowMs = catchupWindowMs;
        return this;
    }

    /** Adds parameters, the arguments that a run of the DAG takes. */
    public Dag params(Param... params) {
        this.params.addAll(Arrays.asList(params));
        return this;
    }

    /** Sets the retries of every task without its own. */
    public Dag retries(int retries) {
        this.retries = retries;
        return this;
    }

    /** Sets the delay, in milliseconds, before the first retry of every task without its own. */
    public Dag retryDelayMs(long retryDelayMs) {
        this.retryDelayMs = retryDelayMs;
        return this;
    }

    /** Adds a task, a shell task by default, and returns it for further settings. */
    public Task task(String id) {
        Task task = new Task(id);
        tasks.add(task);
        return task;
    }

    /** Returns the compiled form of the DAG, a JSON object; useful in an author's own tests. */
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
        Json.field(out, "owner", owner);
        if (!tags.isEmpty()) {
            out.append(",\"tags\":[");
            for (String tag : tags) {
                Json.separate(out, '[');
                Json.wireString(out, tag);
            }
            out.append(']');
        }
        Json.field(out, "timezone", timezone);
        Json.field(out, "maxActiveRuns", maxActiveRuns);
        Json.field(out, "overlap", overlap);
        Json.field(out, "catchupWindowMs", catchupWindowMs);
        if (!params.isEmpty()) {
            out.append(",\"params\":{");
            for (Param param : params) {
                Json.separate(out, '{');
                param.appendJson(out);
            }
            out.append('}');
        }
        Json.field(out, "retries", retries);
        Json.field(out, "retryDelayMs", retryDelayMs);
        out.append(",\"tasks\":[");
        for (Task task : tasks) {
            Json.separate(out, '[');
            task.appendJson(out);
        }
        return out.append("]}").toString();
    }
}
