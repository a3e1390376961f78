import { type BrokenAdapter, changed } from './broken-adapter.ts'
import { rightSteps } from './steps.ts'

/** Adapters that end the attempt of a client that hangs up in another way. */
export const brokenHangUps: readonly BrokenAdapter[] = [
  {
    fault: 'frees the key of a client that hangs up',
    steps: () => ({
      onHangUp(run) {
        run.context.release()
        void run.abandon()
      },
    }),
    caughtBy: ['a client that hangs up: leaves a key'],
  },
  {
    fault: 'throws once it has called the fingerprint of an upload that was cut off',
    steps: () => ({
      text: (req) => rightSteps.text(req).catch(() => CUT_OFF),
      request: (request, { text }) => ({
        ...request,
        fingerprintInput() {
          if (text !== CUT_OFF) return request.fingerprintInput()
          void Promise.reject(new SyntaxError('no JSON'))
          throw new Error('cut off')
        },
      }),
    }),
    caughtBy: ['a client that hangs up: during its upload'],
  },
  {
    fault: 'gives up the commit of a client that hangs up',
    steps: () => ({
      options: ({ store, ...options }) => ({
        ...options,
        store: {
          ...store,
          async begin(claim) {
            const decision = await store.begin(claim)
            if (decision.kind !== 'run') return decision
            const { attempt } = decision
            const complete: typeof attempt.complete = async (completion) => {
              const isGone = await new Promise((resolve) => {
                claim.signal.addEventListener('abort', () => resolve(true))
                setTimeout(() => resolve(claim.signal.aborted), 100)
              })
              if (!isGone) return attempt.complete(completion)
              await attempt.release()
              throw new Error('the client is gone')
            }
            return { ...decision, attempt: changed(attempt, { complete }) }
          },
        },
      }),
    }),
    caughtBy: ['a client that hangs up: while'],
  },
  {
    fault: 'keeps an empty body for a client that hung up',
    steps: () => ({
      reply: (reply, { res }) => (res.destroyed ? { ...reply, body: Buffer.alloc(0) } : reply),
    }),
    caughtBy: [
      'a client that hangs up: while',
      'a client that hangs up: while its request waits',
      'a client that hangs up: before the handler refuses',
    ],
  },
  {
    fault: 'says nothing of errors, not even to the run',
    steps: () => ({ onThrow: () => 'no answer' }),
    caughtBy: ['a client that hangs up: before the handler fails'],
  },
  {
    fault: 'waits for who hung up in the middle of a stream',
    steps: () => ({
      reply(reply, { res }) {
        const { body } = reply
        if ('length' in body) return reply
        return { ...reply, body: whileConnected(body, () => res.destroyed) }
      },
    }),
    caughtBy: ['a client that hangs up: in the middle'],
  },
]

const CUT_OFF = 'cut off'

async function* whileConnected(
  chunks: AsyncIterable<Uint8Array>,
  isGone: () => boolean,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk
    // Long enough for a hang-up to be noticed.
    await new Promise((resolve) => setTimeout(resolve, 50))
    if (isGone()) await new Promise(() => {})
  }
}
