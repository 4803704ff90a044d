// tries: throws an error that never ends saying what it is
// expect: class ExceptionHangs: hangs or is too slow
// limit: 20
import com.cloudcheflabs.kiok.sdk.*;

public class ExceptionHangs implements KiokDag {
    static class Endless extends RuntimeException {
        @Override
        public String getMessage() {
            while (true) {}
        }
    }

    @Override
    public Dag define() {
        throw new Endless();
    }
}
