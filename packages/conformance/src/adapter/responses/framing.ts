import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectReplay } from '../site/adapter-context.ts'
import type { Reply } from '../site/adapter-fixture.ts'
import type { Answer } from '../site/http-client.ts'
import { chunksOf } from '../site/reply-bodies.ts'

/**
 * The sender frames a message. Framing headers of the handler, or copied from an upstream, reach
 * neither the first response nor a replay. Only `Connection: close` is sent, with the first
 * response alone: a server that shuts down sets it on the responses under way.
 */
export function framing(): AdapterBehaviourGroup {
  return {
    title: 'the framing of an answer',
    behaviours: [
      ...bodies.flatMap(([what, body]) => [
        isOne(what, body, [['transfer-encoding', 'chunked']]),
        isOne(what, body, [['content-length', '3']]),
      ]),
      ...perConnection.map(isNotTheHandlers),
      ...['close', 'Close, te'].map(closes),
      ...[204, 304].map(hasNoLength),
      {
        title: 'of a HEAD has the same length on a replay as at first',
        async run({ serve, name, path }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            options: { methods: ['HEAD', 'GET'] },
            // HEAD first, because some frameworks derive HEAD from every GET and others need the
            // explicit route.
            routes: ['HEAD', 'GET'].map((method) => ({ method, path, handler })),
          })
          const key = name()
          const first = await site.post(key, { method: 'HEAD' })
          const again = await site.post(key, { method: 'HEAD' })
          assert.equal(first.status, 201)
          expectReplay(again, first)
          for (const name of ['content-length', 'content-type']) {
            assert.equal(again.header(name), first.header(name), name)
          }
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}

const TEXT = 'a text of more than three bytes'

const bodies: readonly (readonly [what: string, body: () => Reply['body']])[] = [
  ['JSON', () => ({ kind: 'json', value: { text: TEXT } })],
  ['bytes', () => ({ kind: 'bytes', bytes: Buffer.from(TEXT) })],
  ['a stream', () => ({ kind: 'stream', chunks: chunksOf([TEXT.slice(0, 9), TEXT.slice(9)]) })],
  ['no body', () => ({ kind: 'none' })],
]

const perConnection = [
  ['connection', 'x-hop'],
  ['keep-alive', 'timeout=77'],
  ['proxy-connection', 'close'],
  ['trailer', 'x-sum'],
] as const

function isOne(
  what: string,
  body: () => Reply['body'],
  headers: NonNullable<Reply['headers']>,
): AdapterBehaviour {
  return {
    title: `of ${what} is one, whatever ${headers[0]?.[0]} the handler gave`,
    async run({ serve, name }) {
      const { handler, runs } = counted(() => {
        const made = body()
        return created({ headers, ...(made && { body: made }) })
      })
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key)
      expectOneFraming(first)
      assert.equal(first.status, 201)
      if (what !== 'no body') assert.ok(first.text.includes(TEXT), first.text)
      for (let n = 0; n < 2; n += 1) {
        const again = await site.post(key)
        expectOneFraming(again)
        expectReplay(again, first)
      }
      assert.equal(runs(), 1)
    },
  }
}

/**
 * Checks the framing headers. The client is strict, so it has already refused a message with two
 * framings or with a wrong length.
 */
function expectOneFraming(answer: Answer): void {
  const lengths = answer.headers.filter(([name]) => name === 'content-length')
  const codings = answer.headers.filter(([name]) => name === 'transfer-encoding')
  assert.ok(lengths.length + codings.length <= 1, JSON.stringify([lengths, codings]))
  if (lengths.length > 0) assert.equal(lengths[0]?.[1], String(answer.bytes.length))
}

function isNotTheHandlers([header, value]: readonly [string, string]): AdapterBehaviour {
  return {
    title: `has no ${header} of the handler’s`,
    async run({ serve, name }) {
      const site = await serve(() => created({ headers: [[header, value]] }))
      const key = name()
      const first = await site.post(key)
      assert.equal(first.status, 201)
      assert.notEqual(first.header(header), value)
      const again = await site.post(key)
      expectReplay(again, first)
      assert.notEqual(again.header(header), value)
    },
  }
}

function closes(value: string): AdapterBehaviour {
  return {
    title: `closes the connection if the handler said \`Connection: ${value}\`, the first time`,
    expresses: 'the end of a connection',
    async run({ serve, name }) {
      const site = await serve(() => created({ headers: [['connection', value]] }))
      const key = name()
      const first = await site.post(key)
      assert.equal(first.status, 201)
      assert.equal(first.header('connection'), 'close')
      const again = await site.post(key)
      expectReplay(again, first)
      assert.notEqual(again.header('connection'), 'close')
    },
  }
}

function hasNoLength(status: number): AdapterBehaviour {
  return {
    title: `of a ${status} has no length`,
    async run({ serve, name }) {
      const site = await serve(() => ({ status, headers: [['content-length', '5']] }))
      const key = name()
      const first = await site.post(key)
      const again = await site.post(key)
      expectReplay(again, first)
      for (const answer of [first, again]) {
        assert.equal(answer.status, status)
        assert.equal(answer.header('content-length'), undefined)
        assert.equal(answer.header('transfer-encoding'), undefined)
      }
    },
  }
}
