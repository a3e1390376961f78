import type { BrokenAdapter } from './broken-adapter.ts'

/** Adapters that limit, buffer or pass on the body of a response wrongly. */
export const brokenBodies: readonly BrokenAdapter[] = [
  {
    fault: 'keeps responses of any size',
    steps: () => ({
      options: (options) => ({ ...options, maxResponseBytes: 2 ** 30 }),
    }),
    caughtBy: [
      'a response that is too large to be kept: in transaction mode',
      'a response that is too large to be kept: is stopped',
    ],
  },
  {
    fault: 'takes what it has at the cap for the whole response',
    mode: 'lease',
    steps: () => ({ tooLarge: (run, collected) => run.complete(collected) }),
    caughtBy: ['a response that is too large to be kept: in lease mode, while'],
  },
  {
    fault: 'keeps the writes of a handler, and not those of its stream',
    steps: () => ({ maxBytes: () => 0, tooLarge: (run, collected) => run.complete(collected) }),
    caughtBy: ['a response that is too large to be kept: is not one of a stream at the cap, and'],
  },
  {
    fault: 'takes the cap for one byte less',
    steps: () => ({
      options: ({ maxResponseBytes = 2, ...options }) => ({
        ...options,
        maxResponseBytes: maxResponseBytes - 1,
      }),
    }),
    caughtBy: ['a response that is too large to be kept: is not one of'],
  },
  {
    fault: 'buffers streams',
    steps: () => ({ options: ({ response: _, ...options }) => options }),
    caughtBy: [
      'a route that streams: passes',
      'a route that streams: is on record',
      'a route that streams: also handles a response that is not a stream',
      'a route that streams: has committed',
      'a route that streams: has no transaction',
      'a route that streams: is over',
    ],
  },
  {
    fault: 'leaves a handler that waits for drain waiting',
    steps: () => ({ wake: () => {} }),
    caughtBy: ['a handler that writes in parts and waits for drain: gets to its end'],
  },
  {
    fault: 'gives up what a handler writes in parts after the first',
    steps: () => ({
      reply(reply) {
        const { body } = reply
        return 'length' in body ? reply : { ...reply, body: firstOf(body) }
      },
    }),
    caughtBy: ['a handler that writes in parts and waits for drain: has all of them sent'],
  },
  {
    fault: 'has a stream on record before it has written anything',
    steps: () => ({ maxBytes: ({ maxResponseBytes: most }) => (most === 0 ? -1 : most) }),
    caughtBy: ['a route that streams: is not over before its first byte'],
  },
]

async function* firstOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk
    return
  }
}
