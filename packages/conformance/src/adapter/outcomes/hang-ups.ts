import assert from 'node:assert/strict'
import { once } from 'node:events'
import { eventually } from '../../behaviour/eventually.ts'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, door, expectProblem, type Served } from '../site/adapter-context.ts'
import type { Answer, Asked } from '../site/http-client.ts'
import { pausingCommit, pausingHandler } from '../site/pauses.ts'

/** The client hangs up, which is the case that retries exist for. */
export function hangUps(): AdapterBehaviourGroup {
  return {
    title: 'a client that hangs up',
    behaviours: [
      {
        title: 'half-way through its upload has claimed nothing: the retry runs',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const [key, client] = [name(), new AbortController()]
          const first = site
            .post(key, { unfinished: true, signal: client.signal })
            .catch(() => undefined)
          // By the time that the server has answered others it has read what came of this one.
          for (let others = 0; others < 3; others += 1) await site.post(name())
          client.abort()
          // Node's server answers 400 before it closes the connection.
          assert.ok([undefined, 400].includes((await first)?.status))
          for (let others = 0; others < 3; others += 1) await site.post(name())
          const retry = await site.post(key)
          assert.equal(retry.status, 201)
          assert.equal(retry.header('x-idempotency-replayed'), undefined)
          assert.equal(runs(), 7)
        },
      },
      {
        title: 'during its upload, while `scope` waits, leaves no rejection that ends the process',
        async run({ serve, name }) {
          const gone = door()
          const { handler, runs } = counted()
          const site = await serve(handler, {
            async scope(header) {
              if (header('x-slow') !== undefined) await gone.opened
              return 'ada'
            },
            // What adapters without a parser read for it is not JSON then.
            fingerprint: async (body) => body,
          })
          const [key, client] = [name(), new AbortController()]
          const rejected = await rejectionsDuring(async () => {
            const slow = { headers: { 'x-slow': 'yes' }, unfinished: true, signal: client.signal }
            const first = site.post(key, slow).catch(() => undefined)
            // By the time that the server has answered others it has read what came of this one.
            for (let others = 0; others < 3; others += 1) await site.post(name())
            client.abort()
            await first
            gone.open()
            for (let others = 0; others < 3; others += 1) await site.post(name())
          })
          assert.deepEqual(rejected, [])
          const retry = await site.post(key)
          assert.equal(retry.status, 201)
          assert.equal(retry.header('x-idempotency-replayed'), undefined)
          assert.equal(runs(), 7)
        },
      },
      {
        title: 'while the handler runs does not stop it: its result is kept for the retry',
        needs: ['events'],
        async run({ serve, name, committed }) {
          const subject = name()
          const { handler, runs, started, finish } = pausingHandler({
            before: ({ context }) => context.emit({ type: 'order.created', subject }),
          })
          const site = await serve(handler)
          const key = name()
          await hangUpAt(started, site, key)
          finish()
          const again = await answerOnceOver(site, key)
          assert.equal(again.status, 201)
          assert.equal(again.header('x-idempotency-replayed'), 'true')
          assert.equal(again.text, '{"id":"order-1"}')
          assert.equal(runs(), 1)
          assert.deepEqual(await committed(subject), ['order.created'])
        },
      },
      {
        title: 'before the handler refuses finds the refusal',
        async run({ serve, name }) {
          const { handler, runs, started, finish } = pausingHandler({
            after: () => created({ status: 422 }),
          })
          const site = await serve(handler)
          const key = name()
          await hangUpAt(started, site, key)
          finish()
          const again = await answerOnceOver(site, key)
          assert.equal(again.status, 422)
          assert.equal(again.header('x-idempotency-replayed'), 'true')
          assert.equal(again.text, '{"id":"order-1"}')
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'before the handler fails finds the attempt undone, and runs the handler again',
        needs: ['events'],
        async run({ serve, name, committed }) {
          const subject = name()
          const { handler, runs, started, finish } = pausingHandler({
            before({ context }) {
              if (runs() === 1) context.emit({ type: 'order.created', subject })
            },
            after() {
              if (runs() === 1) throw new Error('the handler failed')
              return created()
            },
          })
          const site = await serve(handler)
          const key = name()
          await hangUpAt(started, site, key)
          finish()
          const again = await answerOnceOver(site, key)
          assert.equal(again.status, 201)
          assert.equal(runs(), 2)
          assert.deepEqual(await committed(subject), [])
        },
      },
      {
        title: 'between the handler’s answer and the commit finds the result',
        async run({ serve, name }) {
          const { faults, completing, commit } = pausingCommit()
          const { handler, runs } = counted()
          const site = await serve(handler, { faults })
          const key = name()
          await hangUpAt(completing, site, key)
          commit()
          const again = await answerOnceOver(site, key)
          assert.equal(again.header('x-idempotency-replayed'), 'true')
          assert.equal(runs(), 1)
        },
      },
      {
        title:
          'in the middle of a stream leaves all of it or nothing, and a key that is never stuck',
        needs: ['events'],
        async run({ serve, name, committed }) {
          const [streaming, gone] = [door(), door()]
          const subject = name()
          async function* chunks(): AsyncGenerator<Uint8Array> {
            yield Buffer.from('a')
            streaming.open()
            await gone.opened
            yield Buffer.from('b')
          }
          const { handler, runs } = counted(({ context }) => {
            if (runs() > 1) return created({ body: { kind: 'text', text: 'again' } })
            context.emit({ type: 'order.created', subject })
            return created({ body: { kind: 'stream', chunks: chunks() } })
          })
          const site = await serve(handler)
          const key = name()
          await hangUpAt(streaming.opened, site, key)
          gone.open()
          const again = await answerOnceOver(site, key)
          assert.equal(again.status, 201)
          if (runs() === 1) {
            // The framework continued, so the whole response was stored.
            assert.equal(again.text, 'ab')
            assert.equal(again.header('x-idempotency-replayed'), 'true')
            assert.deepEqual(await committed(subject), ['order.created'])
          } else {
            // The hang-up stopped the stream, so the attempt was undone.
            assert.equal(again.text, 'again')
            assert.deepEqual(await committed(subject), [])
          }
        },
      },
      {
        title: 'while its request waits for the key does not take the body from the handler',
        async run({ serve, name }) {
          const [waiting, decided] = [door(), door()]
          let kind: string | undefined
          const { handler, runs } = counted(({ body }) =>
            created({ body: { kind: 'json', value: { body } } }),
          )
          const site = await serve(handler, {
            options: { waitMs: 20_000 },
            faults: {
              async begin(begin, { signal }) {
                waiting.open()
                if (kind === undefined && !signal.aborted) await once(signal, 'abort')
                const decision = await begin()
                kind ??= decision.kind
                decided.open()
                return decision
              },
            },
          })
          const key = name()
          const body = { item: 'violin' }
          await hangUpAt(waiting.opened, site, key, { body })
          await decided.opened
          // A store may refuse a claim whose caller has gone. The retry then runs the handler.
          const isRun = kind === 'run'
          const again = await eventually('the result', async () => {
            if (isRun && runs() === 0) return undefined
            const answer = await site.post(key, { body })
            return answer.code === 'in-progress' ? undefined : answer
          })
          assert.equal(again.status, 201)
          assert.equal(again.header('x-idempotency-replayed'), isRun ? 'true' : undefined)
          assert.deepEqual(JSON.parse(again.text), { body })
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'leaves a key that another request cannot claim',
        async run({ serve, name }) {
          const { handler, runs, started, finish } = pausingHandler()
          const site = await serve(handler)
          const key = name()
          await hangUpAt(started, site, key)
          expectProblem(await site.post(key), 409, 'in-progress')
          finish()
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}

/**
 * The rejections that nobody handles while something happens, each of which would end a process.
 * Who listens for them otherwise, such as a test runner, does not hear of them.
 */
async function rejectionsDuring(happens: () => Promise<void>): Promise<unknown[]> {
  const rejected: unknown[] = []
  const note = (reason: unknown) => void rejected.push(reason)
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', note)
  try {
    await happens()
  } finally {
    process.off('unhandledRejection', note)
    for (const other of others) process.on('unhandledRejection', other)
  }
  return rejected
}

/** Sends a request, and hangs up at a moment that comes before its answer. */
async function hangUpAt(
  moment: Promise<void>,
  site: Served,
  key: string,
  asked: Asked = {},
): Promise<void> {
  const client = new AbortController()
  const first = site.post(key, { ...asked, signal: client.signal }).catch(() => 'hung up')
  await moment
  client.abort()
  assert.equal(await first, 'hung up')
}

/** Sends the request again until no attempt has its key. */
function answerOnceOver(site: Served, key: string): Promise<Answer> {
  return eventually('the attempt to be over', async () => {
    const answer = await site.post(key)
    return answer.code === 'in-progress' ? undefined : answer
  })
}
