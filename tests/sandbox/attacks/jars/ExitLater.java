// tries: ends the JVM from a thread while a later class runs
// outcome: compiled
import com.cloudcheflabs.kiok.sdk.*;

public class ExitLater implements KiokDag {

    /** A later class, long at work. A nested class needs no instance of the outer one. */
    public static class Later implements KiokDag {
        @Override
        public Dag define() {
            try {
                Thread.sleep(500);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            Dag dag = new Dag("later");
            dag.task("t").shell("true");
            return dag;
        }
    }

    @Override
    public Dag define() {
        Thread thread = new Thread(() -> {
            while (!laterIsAtWork()) {
                Thread.yield();
            }
            System.exit(7);
        });
        thread.setDaemon(true);
        thread.start();
        Dag dag = new Dag("exit_later");
        dag.task("t").shell("true");
        return dag;
    }

    private static boolean laterIsAtWork() {
        for (StackTraceElement[] stack : Thread.getAllStackTraces().values()) {
            for (StackTraceElement frame : stack) {
                if (frame.getClassName().equals("ExitLater$Later")) {
                    return true;
                }
            }
        }
        return false;
    }
}
