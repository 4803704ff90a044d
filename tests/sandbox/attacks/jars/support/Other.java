/** Belongs to another jar than the one that asks for it. */
public class Other {
    public static String text() {
        return "leaked";
    }
}
