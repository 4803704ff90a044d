// tries: ends the JVM from a thread, while a later class is at work
// outcome: compiled
import com.cloudcheflabs.kiok.sdk.*;

public class ExitLater implements KiokDag {
    @Override
    public Dag define() {
        new Thread(() -> {
            try {
                Thread.sleep(150);
            } catch (InterruptedException e) {
                return;
            }
            System.exit(7);
        }).start();
        Dag dag = new Dag("exit_later");
        dag.task("t").shell("true");
        return dag;
    }
}
