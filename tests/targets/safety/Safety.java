// SPDX-License-Identifier: Apache-2.0
// A virtual machine that uses SIGSEGV for null checks and guard pages for its stacks.
public class Safety {
  static int depth;
  static int deep() { depth++; return deep() + 1; }

  public static void main(String[] arguments) throws Exception {
    int caught = 0, overflows = 0;
    for (int i = 0; i < 6; i++) {
      try {
        String text = i % 2 == 0 ? null : "x";
        if (text != null) throw new IllegalStateException(text.repeat(1000));
        text.length();
      } catch (RuntimeException expected) {
        caught++;
      }
    }
    try {
      deep();
    } catch (StackOverflowError expected) {
      overflows++;
    }
    int[] done = new int[3];
    Thread[] threads = new Thread[3];
    for (int t = 0; t < 3; t++) {
      int at = t;
      threads[t] = new Thread(() -> {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 20000; i++) text.append(i);
        done[at] = text.length() > 0 ? 1 : 0;
      });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
    System.out.println(caught + " caught, " + overflows + " overflow, " + (done[0] + done[1] + done[2]) + " threads");
  }
}
