package com.cloudcheflabs.kiok.sdk;

/**
 * References to connections and secrets. A reference stays literal text in the compiled DAG and is resolved
 * only when a task runs, so that no secret is ever part of a DAG.
 */
public final class Conn {

    private Conn() {}

    /** The reference {@code ${conn.<id>.<key>}} to one property of a connection. */
    public static String ref(String id, String key) {
        return "${conn." + id + "." + key + "}";
    }

    /** The reference {@code ${secret.<name>}} to a secret. */
    public static String secret(String name) {
        return "${secret." + name + "}";
    }
}
