package com.cloudcheflabs.kiok.driver;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * The request: what to compile. On standard input: the index of the first class and the length of the jar's path, four
 * bytes each, big-endian, then the path in UTF-8.
 *
 * @param first the index of the first class to compile: classes are ordered by name, so a second
 *     process continues where a first one died
 */
record Order(int first, File jar) {

    // Unbuffered, and not System.in, which belongs to the jar's code: that code reads an end of file.
    private static final FileInputStream INPUT = new FileInputStream(FileDescriptor.in);

    /** Returns whether an order, or part of one, has arrived. */
    static boolean isWaiting() throws IOException {
        return INPUT.available() > 0;
    }

    /** Waits for the order; null if the input ends before it is complete. */
    static Order read() throws IOException {
        DataInputStream in = new DataInputStream(INPUT);
        try {
            int first = in.readInt();
            byte[] path = new byte[in.readInt()];
            in.readFully(path);
            return new Order(first, new File(new String(path, StandardCharsets.UTF_8)));
        } catch (EOFException e) {
            return null;
        }
    }
}
