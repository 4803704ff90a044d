// tries: starts programs that outlive the JVM and keep its pipes open
// outcome: compiled
import com.cloudcheflabs.kiok.sdk.*;

public class ProcessesLeft implements KiokDag {
    @Override
    public Dag define() {
        for (int i = 0; i < 5; i++) {
            try {
                new ProcessBuilder("/bin/sh", "-c", "exec sleep 3600").inheritIO().start();
            } catch (java.io.IOException e) {
                throw new IllegalStateException(e);
            }
        }
        Dag dag = new Dag("processes_left");
        dag.task("t").shell("true");
        return dag;
    }
}
