import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class EveryField implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("every_field")
                .name("Every field")
                .description("Holds every key; \"quoted\", and on\ntwo lines")
                .schedule("*/10 6-18 1,15 JAN-jun mon-fri")
                .catchup(true)
                .defaultTimeoutMs(1_800_000);
        dag.task("first").shell("#!/bin/bash\necho \"first\"\n");
        dag.task("second").python("print('zweite Änderung')").requires("first").timeoutMs(90_000)
                .config("slot", "1").config("queue", "nightly");
        dag.task("third").type("shell").script("\techo third \\ 'x'").requires("second", "first");
        return dag;
    }
}
