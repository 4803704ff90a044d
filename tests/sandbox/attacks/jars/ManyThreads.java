// tries: starts threads without end
// expect: class ManyThreads: .*OutOfMemoryError: unable to create native thread
import com.cloudcheflabs.kiok.sdk.*;

public class ManyThreads implements KiokDag {
    @Override
    public Dag define() {
        while (true) {
            new Thread(() -> {
                while (true) {
                    java.util.concurrent.locks.LockSupport.park();
                }
            }).start();
        }
    }
}
