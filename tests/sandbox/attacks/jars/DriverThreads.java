// tries: stops and interrupts the threads of the driver
// expect: class DriverThreads: .*(its JVM|threw)
import com.cloudcheflabs.kiok.sdk.*;

public class DriverThreads implements KiokDag {
    @Override
    @SuppressWarnings("deprecation")
    public Dag define() {
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread != Thread.currentThread()) {
                thread.interrupt();
                thread.stop();
            }
        }
        try {
            Thread.sleep(200);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        throw new IllegalStateException("stopped what could be");
    }
}
