/** Belongs to another jar than the class that uses it. */
public class Other {
    public static String text() {
        return "leaked";
    }
}
