import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created } from '../site/adapter-context.ts'
import type { ReplyBody } from '../site/adapter-fixture.ts'

/**
 * The headers of the first response that a replay has: those that the handler set, except a fixed
 * list.
 */
export function replayedHeaders(): AdapterBehaviourGroup {
  return {
    title: 'the headers of a replay',
    behaviours: [
      ...kept.map(([name, value]) => keeps(name, value)),
      ...never.map(([name, value]) => drops(name, value)),
      {
        title: 'keep several values of one header apart',
        async run({ serve, name }) {
          const headers = [
            ['link', '</1>; rel="next"'],
            ['link', '</2>; rel="prev"'],
            ['x-two', 'a'],
            ['x-two', 'b, c'],
          ] as const
          const site = await serve(() => created({ headers }))
          const key = name()
          const first = await site.post(key)
          const again = await site.post(key)
          for (const name of ['link', 'x-two']) {
            const lines = (of: typeof first) => of.headers.filter(([other]) => other === name)
            assert.deepEqual(lines(again), lines(first))
          }
        },
      },
      {
        title: 'may be empty, which differs from absent',
        async run({ serve, name }) {
          const headers = [['x-empty', '']] as const
          const site = await serve(() => created({ headers }))
          const key = name()
          assert.equal((await site.post(key)).header('x-empty'), '')
          assert.equal((await site.post(key)).header('x-empty'), '')
        },
      },
      ...bodyKinds.map(repeatsBytes),
      {
        title: 'are not those set outside, which are set anew for each exchange',
        async run({ serve, name }) {
          let requests = 0
          const site = await serve(() => created(), {
            outside: () => {
              requests += 1
              return { 'x-exchange': String(requests) }
            },
          })
          const key = name()
          assert.equal((await site.post(key)).header('x-exchange'), '1')
          const again = await site.post(key)
          assert.equal(again.header('x-exchange'), '2')
          assert.equal(again.header('x-idempotency-replayed'), 'true')
        },
      },
      {
        title: 'lack headers from outside that the handler removed, and have those it changed',
        expresses: 'removed headers',
        async run({ serve, name }) {
          const site = await serve(
            () => created({ headers: [['x-changed', 'inside']], removed: ['x-removed'] }),
            { outside: () => ({ 'x-changed': 'outside', 'x-removed': 'outside' }) },
          )
          const key = name()
          for (let n = 0; n < 2; n += 1) {
            const answer = await site.post(key)
            assert.equal(answer.header('x-changed'), 'inside')
            assert.equal(answer.header('x-removed'), undefined)
          }
        },
      },
      {
        title: 'follow `replayHeader` over the standard list',
        async run({ serve, name }) {
          const asked: string[] = []
          const site = await serve(
            () =>
              created({
                headers: [
                  ['X-Dropped', '1'],
                  ['X-Request-Id', '2'],
                  ['X-Kept', '3'],
                ],
              }),
            {
              options: {
                replayHeader(name) {
                  asked.push(name)
                  if (name === 'x-dropped') return false
                  return name === 'x-request-id' ? true : undefined
                },
              },
            },
          )
          const key = name()
          await site.post(key)
          const again = await site.post(key)
          assert.equal(again.header('x-dropped'), undefined)
          assert.equal(again.header('x-request-id'), '2')
          assert.equal(again.header('x-kept'), '3')
          assert.deepEqual(
            asked.filter((name) => name !== name.toLowerCase()),
            [],
          )
        },
      },
      {
        title: 'have a date of their own',
        async run({ serve, name }) {
          const site = await serve(() => created({ headers: [['date', LONG_AGO]] }))
          const key = name()
          assert.equal((await site.post(key)).header('date'), LONG_AGO)
          assert.notEqual((await site.post(key)).header('date'), LONG_AGO)
        },
      },
    ],
  }
}

/** The form of a body must not influence the encoding of the head before it. */
const bodyKinds: readonly ReplyBody[] = [
  { kind: 'json', value: { id: 1 } },
  { kind: 'text', text: 'text' },
  { kind: 'bytes', bytes: Buffer.from([0xff, 0xfe]) },
  { kind: 'none' },
]

function repeatsBytes(body: ReplyBody): AdapterBehaviour {
  return {
    title: `have the bytes of the first ones, beyond ASCII too, before a body of kind ${body.kind}`,
    async run({ serve, name }) {
      const headers = [
        ['content-disposition', 'attachment; filename="caf\u00e9.txt"'],
        ['x-utf-8', Buffer.from('Zo\u00eb \u{1f9fe}').toString('latin1')],
      ] as const
      const site = await serve(() => created({ headers, body }))
      const key = name()
      const first = await site.post(key)
      const again = await site.post(key)
      for (const [name] of headers) {
        assert.ok(first.header(name))
        assert.equal(again.header(name), first.header(name))
      }
    },
  }
}

const LONG_AGO = 'Tue, 01 Jan 2019 00:00:00 GMT'

const kept = [
  ['location', '/orders/1'],
  ['content-location', '/orders/1'],
  ['etag', 'W/"1"'],
  ['last-modified', LONG_AGO],
  ['cache-control', 'no-store'],
  ['content-type', 'application/vnd.order+json; charset=utf-8'],
  ['content-language', 'de'],
  ['content-disposition', 'attachment; filename="a.pdf"'],
  ['vary', 'Accept-Language'],
  ['retry-after', '3'],
  ['x-order-state', 'paid'],
] as const

const never = [
  ['set-cookie', 'session=secret'],
  ['www-authenticate', 'Bearer'],
  ['proxy-authenticate', 'Basic'],
  ['authentication-info', 'nextnonce="1"'],
  ['access-control-allow-origin', 'https://a.test'],
  ['access-control-expose-headers', 'x-a'],
  ['strict-transport-security', 'max-age=1'],
  ['x-request-id', 'r1'],
  ['request-id', 'r1'],
  ['x-correlation-id', 'r1'],
  ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
  ['tracestate', 'a=b'],
  ['server-timing', 'db;dur=1'],
  ['x-response-time', '1ms'],
  ['age', '1'],
  ['ratelimit', 'limit=1'],
  ['ratelimit-remaining', '1'],
  ['x-ratelimit-remaining', '1'],
  ['x-rate-limit-reset', '1'],
] as const

function keeps(name: string, value: string): AdapterBehaviour {
  return {
    title: `keep ${name}`,
    async run({ serve, name: newKey }) {
      const site = await serve(() => created({ headers: [[name, value]] }))
      const key = newKey()
      assert.equal((await site.post(key)).header(name), value)
      assert.equal((await site.post(key)).header(name), value)
    },
  }
}

function drops(name: string, value: string): AdapterBehaviour {
  return {
    title: `never have ${name}`,
    async run({ serve, name: newKey }) {
      const site = await serve(() => created({ headers: [[name, value]] }))
      const key = newKey()
      assert.equal((await site.post(key)).header(name), value)
      const again = await site.post(key)
      assert.equal(again.header(name), undefined)
      assert.equal(again.header('x-idempotency-replayed'), 'true')
    },
  }
}
