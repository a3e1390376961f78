import assert from 'node:assert/strict'
import { OncekeyError } from '@oncekey/core'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { type AdapterContext, created, expectProblem } from '../site/adapter-context.ts'
import { lostWith } from '../site/faulty-store.ts'
import type { Answer } from '../site/http-client.ts'
import { pausingHandler } from '../site/pauses.ts'

/** Every answer that is not the handler's: RFC 9457 problem details, never stored. */
export function problems(): AdapterBehaviourGroup {
  return {
    title: 'a problem',
    behaviours: [
      ...Object.entries(ways).map(([code, way]) => hasItsMembers(code, way)),
      {
        title: 'names the page that documents it, as its type and in a describedby link',
        async run({ serve }) {
          const pages = { 'https://docs.example/all': '#', 'https://docs.example/each/': '' }
          for (const [docsUrl, between] of Object.entries(pages)) {
            const site = await serve(() => created(), { options: { docsUrl } })
            const answer = await site.post(undefined)
            const type = `${docsUrl}${between}key-missing`
            assert.equal(answer.json().type, type)
            assert.equal(answer.header('link'), `<${type}>; rel="describedby"`)
          }
        },
      },
      {
        title: 'has the headers set outside, as every answer has',
        async run({ serve }) {
          const site = await serve(() => created(), {
            outside: () => ({ 'x-outside': '1', 'access-control-allow-origin': '*' }),
          })
          const answer = await site.post(undefined)
          assert.equal(answer.header('x-outside'), '1')
          assert.equal(answer.header('access-control-allow-origin'), '*')
        },
      },
      {
        title: 'is never stored: after each of them the key behaves as if it had not been used',
        async run({ serve, name }) {
          let fault: 'begin' | 'complete' | undefined = 'begin'
          const { handler, runs, started, finish } = pausingHandler()
          const site = await serve(handler, {
            faults: {
              begin: (begin) => (fault === 'begin' ? Promise.reject(new Error('away')) : begin()),
              complete: async (complete) => {
                if (fault !== 'complete') return complete()
                throw new Error('lost')
              },
            },
          })
          const key = name()
          expectProblem(await site.post(key), 503, 'store-unavailable')
          expectProblem(await site.post(`"${key}`), 400, 'key-invalid')
          fault = undefined
          const first = site.post(key)
          await started
          expectProblem(await site.post(key), 409, 'in-progress')
          finish()
          assert.equal((await first).status, 201)
          expectProblem(await site.post(key, { body: { amount: 2 } }), 422, 'key-reused')
          const again = await site.post(key)
          assert.equal(again.status, 201)
          assert.equal(again.header('x-idempotency-replayed'), 'true')
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}

interface Way {
  readonly status: number
  readonly title: string
  readonly retry: 'same-key' | 'new-key' | 'never'
  /** Provokes the problem. */
  ask(context: AdapterContext): Promise<Answer>
}

const ways: Readonly<Record<string, Way>> = {
  'not-authentic': {
    status: 401,
    title: 'The request is not authentic',
    retry: 'never',
    async ask({ serve, name }) {
      const authenticate = () => {
        throw new OncekeyError('not-authentic', 'a stranger')
      }
      const site = await serve(() => created(), { options: { authenticate } })
      return site.post(name())
    },
  },
  'key-missing': {
    status: 400,
    title: 'Idempotency-Key is missing',
    retry: 'new-key',
    ask: async ({ serve }) => (await serve(() => created())).post(undefined),
  },
  'key-invalid': {
    status: 400,
    title: 'Idempotency-Key is not valid',
    retry: 'new-key',
    ask: async ({ serve }) => (await serve(() => created())).post('a, b'),
  },
  'key-reused': {
    status: 422,
    title: 'Idempotency-Key is already used',
    retry: 'new-key',
    async ask({ serve, name }) {
      const site = await serve(() => created())
      const key = name()
      await site.post(key)
      return site.post(key, { body: { amount: 2 } })
    },
  },
  'in-progress': {
    status: 409,
    title: 'A request is outstanding for this Idempotency-Key',
    retry: 'same-key',
    async ask({ serve, name }) {
      const { handler, started, finish } = pausingHandler()
      const site = await serve(handler)
      const key = name()
      const first = site.post(key)
      await started
      const answer = await site.post(key)
      finish()
      await first
      return answer
    },
  },
  'handler-timeout': {
    status: 503,
    title: 'The request took too long',
    retry: 'same-key',
    async ask({ serve, name }) {
      const options = { handlerTimeoutMs: 30 }
      return (await serve(() => new Promise<never>(() => {}), { options })).post(name())
    },
  },
  'store-unavailable': {
    status: 503,
    title: 'Idempotency cannot be ensured now',
    retry: 'same-key',
    async ask({ serve, name }) {
      const faults = { begin: () => Promise.reject(new Error('away')) }
      return (await serve(() => created(), { faults })).post(name())
    },
  },
  'commit-failed': {
    status: 503,
    title: 'It is not known whether the request took effect',
    retry: 'same-key',
    async ask({ serve, name }) {
      const faults = { complete: lostWith(new Error('lost')) }
      return (await serve(() => created(), { faults })).post(name())
    },
  },
}

function hasItsMembers(code: string, way: Way): AdapterBehaviour {
  return {
    title: `of code ${code} is application/problem+json with its members, and no-store`,
    async run(context) {
      const answer = await way.ask(context)
      expectProblem(answer, way.status, code)
      const { detail, ...rest } = answer.json()
      assert.deepEqual(rest, {
        type: `urn:oncekey:problem:${code}`,
        title: way.title,
        status: way.status,
        code,
        retry: way.retry,
      })
      assert.ok(typeof detail === 'string' && detail.length > 10, `detail: ${detail}`)
      assert.match(answer.header('content-type') ?? '', /^application\/problem\+json(;|$)/)
      assert.equal(answer.header('cache-control'), 'no-store')
      assert.equal(answer.header('link'), undefined)
      assert.equal(answer.header('content-length'), String(answer.bytes.length))
    },
  }
}
