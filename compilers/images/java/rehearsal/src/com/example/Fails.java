package com.example;

import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;

/** Fails, so that the code that reports failures to authors is loaded too. */
public class Fails implements KiokDag {

    @Override
    public Dag define() {
        throw new IllegalStateException("rehearsed");
    }
}
