package com.cloudcheflabs.kiok.driver;

/** Explains why a class that implements {@code KiokDag} cannot be a DAG class, and how to fix it. */
final class Unusable {

    private static final String RULE = "a DAG class needs a public constructor without arguments";

    private Unusable() {}

    /** Returns the reason for a class at its correct place in the jar. */
    static String why(ClassFile file) {
        String is = "it implements KiokDag, but ";
        if (file.isEnum()) {
            return is + "is an enum, which has no public constructor: " + RULE + "; make it a class";
        }
        if (file.isObject()) {
            return is + "is a singleton, as objects of Kotlin and Scala are: " + RULE + "; make it a class";
        }
        if (file.isRecord() && file.constructor() == ClassFile.Constructor.WITH_ARGUMENTS) {
            return is + "is a record with components: " + RULE + "; leave out the components, or make it a class";
        }
        switch (file.constructor()) {
            case NOT_PUBLIC:
                return is + "its constructor without arguments is not public: " + RULE + "; make it public";
            case WITH_OUTER_OBJECT:
                return is + "is an inner class, whose constructor takes the outer object: " + RULE + "; make it static";
            default:
                return is + "each of its constructors takes arguments: " + RULE + "; add one";
        }
    }

    /** Returns the reason for a class whose entry in the jar does not match its name. */
    static String whyMisplaced(String entry, ClassFile file) {
        String at = "it is located at " + entry + ", but classes are read only from the root of the jar, this one from "
                + file.name() + ".class";
        if (entry.startsWith("BOOT-INF/") || entry.startsWith("WEB-INF/")) {
            return at + ". Build a plain jar, not an executable or web archive";
        }
        if (entry.startsWith("META-INF/versions/")) {
            return at + ". Add it there too, because multi-release jars are read as plain jars";
        }
        return at;
    }
}
