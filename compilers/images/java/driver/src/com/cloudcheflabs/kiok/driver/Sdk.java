package com.cloudcheflabs.kiok.driver;

import java.nio.charset.StandardCharsets;

/** The names of the SDK in class files. */
final class Sdk {

    static final String PACKAGE = "com.cloudcheflabs.kiok.sdk.";
    static final String FOLDER = PACKAGE.replace('.', '/');
    static final String KIOK_DAG = FOLDER + "KiokDag";

    private static final byte[] MARK = FOLDER.getBytes(StandardCharsets.US_ASCII);

    private Sdk() {}

    /** Returns whether the bytes from {@code from} (inclusive) to {@code to} (exclusive) contain the name of the SDK package. */
    static boolean mentioned(byte[] bytes, int from, int to) {
        for (int start = from; start <= to - MARK.length; start++) {
            int i = 0;
            while (i < MARK.length && bytes[start + i] == MARK[i]) {
                i++;
            }
            if (i == MARK.length) {
                return true;
            }
        }
        return false;
    }
}
