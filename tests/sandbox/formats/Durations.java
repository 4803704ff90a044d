import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class Durations implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("durations").defaultTimeoutMs(5_400_000L);
        dag.task("milliseconds").shell("a").timeoutMs(250);
        dag.task("seconds").shell("a").timeoutMs(90_000);
        dag.task("minutes").shell("a").timeoutMs(300_000);
        dag.task("hours").shell("a").timeoutMs(5_400_000);
        dag.task("days").shell("a").timeoutMs(172_800_000);
        dag.task("fraction").shell("a").timeoutMs(100);
        dag.task("camel").shell("a").timeoutMs(1);
        dag.task("snake").shell("a").timeoutMs(999_999_999_999_999_999L);
        dag.task("none").shell("a");
        return dag;
    }
}
