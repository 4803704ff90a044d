// tries: throws an error whose message method never returns
// expect: class ExceptionHangs: hangs or is too slow
// limit: 12
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
