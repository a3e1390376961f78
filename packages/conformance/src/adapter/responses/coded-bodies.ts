import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectReplay } from '../site/adapter-context.ts'
import type { Reply } from '../site/adapter-fixture.ts'
import { chunksOf, expectBody } from '../site/reply-bodies.ts'

/**
 * A body with a `Content-Encoding` is stored as sent, and replayed to each client in a form it
 * accepts.
 */
export function codedBodies(): AdapterBehaviourGroup {
  return {
    title: 'a coded body',
    behaviours: [
      ...codings.flatMap((coded) => [repeated(coded), decodedFor(coded)]),
      ...notDecodable.map(keptAsItCame),
      ...[200, 201, 202, 204, 304, 404].map(empty),
      {
        title:
          'that is streamed is repeated byte by byte, and decoded for clients that do not accept it',
        async run({ serve, name }) {
          const pieces = Array.from({ length: 50 }, (_, n) => `${n},`)
          const bytes = gzipSync(pieces.join(''))
          async function* chunks() {
            for await (const chunk of chunksOf(['a', 'b'])) {
              yield chunk.toString() === 'a' ? bytes.subarray(0, 7) : bytes.subarray(7)
            }
          }
          const site = await serve(() => coded('gzip', { kind: 'stream', chunks: chunks() }))
          const key = name()
          const first = await site.post(key, accepting('gzip'))
          expectBody(first, bytes)
          expectReplay(await site.post(key, accepting('gzip')), first)
          expectBody(await site.post(key, accepting('identity')), Buffer.from(pieces.join('')))
        },
      },
      {
        title:
          'is decoded only for who does not accept it: an asterisk, a weight and an empty list count',
        async run({ serve, name }) {
          const bytes = gzipSync(TEXT)
          const site = await serve(() => coded('gzip', { kind: 'bytes', bytes }))
          const key = name()
          const first = await site.post(key, accepting('gzip'))
          for (const accepted of ['*', 'br, x-gzip;q=0.1', 'GZIP;q=1.0', 'br, *;q=0.5']) {
            expectReplay(await site.post(key, accepting(accepted)), first)
          }
          for (const refused of ['', 'br', 'gzip;q=0', 'gzip;q=0, *', 'identity, *;q=0']) {
            const again = await site.post(key, accepting(refused))
            assert.equal(again.text, TEXT, `Accept-Encoding: ${refused}`)
            assert.equal(again.header('content-encoding'), undefined)
          }
        },
      },
      {
        title: 'is repeated unchanged to a client that accepts neither its coding nor identity',
        async run({ serve, name }) {
          const bytes = gzipSync(TEXT)
          const site = await serve(() => coded('gzip', { kind: 'bytes', bytes }))
          const key = name()
          const first = await site.post(key, accepting('gzip'))
          expectReplay(await site.post(key, accepting('br, identity;q=0')), first)
        },
      },
      {
        title: 'keeps an existing `Vary` when it is decoded',
        async run({ serve, name }) {
          const bytes = gzipSync(TEXT)
          const headers = [['vary', 'Accept-Language, accept-encoding']] as const
          const site = await serve(() => coded('gzip', { kind: 'bytes', bytes }, headers), {
            outside: () => ({ 'x-outside': '1' }),
          })
          const key = name()
          await site.post(key)
          const again = await site.post(key, accepting('identity'))
          assert.equal(again.header('vary'), 'Accept-Language, accept-encoding')

          const other = await serve(() => coded('gzip', { kind: 'bytes', bytes }), {
            outside: () => ({ vary: 'Origin' }),
          })
          const otherKey = name()
          await other.post(otherKey)
          const varied = await other.post(otherKey, accepting('identity'))
          const names = varied.header('vary')?.toLowerCase().split(', ') ?? []
          assert.deepEqual(names.sort(), ['accept-encoding', 'origin'])
        },
      },
      {
        title: 'is limited by its coded size, and stays coded if it is too large decoded',
        async run({ serve, name }) {
          const bytes = gzipSync(Buffer.alloc(200_000, 'x'))
          const { handler, runs } = counted(() => coded('gzip', { kind: 'bytes', bytes }))
          const site = await serve(handler, { options: { maxResponseBytes: 10_000 } })
          const key = name()
          const first = await site.post(key, accepting('gzip'))
          assert.equal(first.status, 201)
          for (const accepted of ['gzip', 'identity']) {
            const again = await site.post(key, accepting(accepted))
            expectReplay(again, first)
            assert.equal(again.header('content-encoding'), 'gzip')
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'is passed to `redact` decoded, and stored so',
        async run({ serve, name }) {
          const bytes = gzipSync(JSON.stringify({ id: 1, secret: 'sk_1' }))
          const site = await serve(() => coded('gzip', { kind: 'bytes', bytes }), {
            options: {
              redact(response) {
                const { id } = JSON.parse(new TextDecoder().decode(response.body))
                return { ...response, body: new TextEncoder().encode(JSON.stringify({ id })) }
              },
            },
          })
          const key = name()
          const first = await site.post(key, accepting('gzip'))
          expectBody(first, bytes)
          const again = await site.post(key, accepting('gzip'))
          assert.equal(again.text, '{"id":1}')
          assert.equal(again.header('content-encoding'), undefined)
        },
      },
    ],
  }
}

const TEXT = JSON.stringify({ text: 'oncekey '.repeat(40) })

interface Coded {
  readonly coding: string
  readonly bytes: Buffer
  readonly what?: string
}

const codings: readonly Coded[] = [
  { coding: 'gzip', bytes: gzipSync(TEXT) },
  { coding: 'x-gzip', bytes: gzipSync(TEXT) },
  { coding: 'br', bytes: brotliCompressSync(TEXT) },
  { coding: 'deflate', bytes: deflateSync(TEXT) },
  { coding: 'deflate', bytes: deflateRawSync(TEXT), what: 'deflate without its wrapping' },
]

const notDecodable: readonly Coded[] = [
  { coding: 'x-own', bytes: Buffer.from('in its own coding'), what: 'a coding of the app’s own' },
  { coding: 'gzip, br', bytes: brotliCompressSync(gzipSync(TEXT)), what: 'a list of codings' },
  { coding: 'gzip', bytes: Buffer.from(TEXT), what: 'gzip that is none' },
  { coding: 'gzip', bytes: gzipSync(TEXT).subarray(0, 30), what: 'gzip that breaks off' },
  { coding: 'br', bytes: Buffer.from([0xff, 0xff, 0xff]), what: 'br that is damaged' },
  { coding: 'identity', bytes: Buffer.from(TEXT), what: 'the coding that is none' },
]

function coded(
  coding: string,
  body: Reply['body'],
  headers: NonNullable<Reply['headers']> = [],
): Reply {
  return created({
    headers: [['content-encoding', coding], ['content-type', 'application/json'], ...headers],
    ...(body && { body }),
  })
}

function accepting(codings: string): { readonly headers: Readonly<Record<string, string>> } {
  return { headers: { 'accept-encoding': codings } }
}

const saidOfBytes = (bytes: Buffer) => {
  const digest = createHash('sha256').update(bytes).digest('base64')
  return [
    ['content-digest', `sha-256=:${digest}:`],
    ['repr-digest', `sha-256=:${digest}:`],
    ['content-md5', createHash('md5').update(bytes).digest('base64')],
    ['etag', '"coded"'],
  ] as const
}

function repeated({ coding, bytes, what = coding }: Coded): AdapterBehaviour {
  return {
    title: `in ${what} is repeated as it left to who accepts it, or says nothing of it`,
    async run({ serve, name }) {
      const said = saidOfBytes(bytes)
      const { handler, runs } = counted(() => coded(coding, { kind: 'bytes', bytes }, said))
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key, accepting(coding))
      expectBody(first, bytes)
      assert.equal(first.header('content-encoding'), coding)
      for (const asked of [accepting(coding), accepting(`br;q=0.1, ${coding}`), {}]) {
        const again = await site.post(key, asked)
        expectReplay(again, first)
        expectBody(again, bytes)
        for (const name of ['content-encoding', 'vary', ...said.map(([name]) => name)]) {
          assert.equal(again.header(name), first.header(name), name)
        }
      }
      assert.equal(runs(), 1)
    },
  }
}

function decodedFor({ coding, bytes, what = coding }: Coded): AdapterBehaviour {
  return {
    title: `in ${what} is decoded for who does not accept it, and says nothing of the coded bytes`,
    async run({ serve, name }) {
      const { handler, runs } = counted(() =>
        coded(coding, { kind: 'bytes', bytes }, saidOfBytes(bytes)),
      )
      const site = await serve(handler)
      const key = name()
      await site.post(key, accepting(coding))
      for (let n = 0; n < 2; n += 1) {
        const again = await site.post(key, accepting('identity'))
        assert.equal(again.status, 201)
        assert.equal(again.header('x-idempotency-replayed'), 'true')
        expectBody(again, Buffer.from(TEXT))
        for (const name of ['content-encoding', 'content-digest', 'repr-digest', 'content-md5']) {
          assert.equal(again.header(name), undefined, name)
        }
        assert.equal(again.header('etag'), 'W/"coded"')
        assert.equal(again.header('vary')?.toLowerCase(), 'accept-encoding')
        assert.equal(again.header('content-type'), 'application/json')
      }
      assert.equal(runs(), 1)
    },
  }
}

function keptAsItCame({ coding, bytes, what = coding }: Coded): AdapterBehaviour {
  return {
    title: `that cannot be decoded is repeated as it left to everybody: ${what}`,
    async run({ serve, name }) {
      const { handler, runs } = counted(() => coded(coding, { kind: 'bytes', bytes }))
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key, accepting(coding))
      expectBody(first, bytes)
      assert.equal(first.status, 201)
      assert.equal(first.header('content-encoding'), coding)
      for (const asked of [accepting(coding), accepting('identity'), {}]) {
        const again = await site.post(key, asked)
        expectReplay(again, first)
        assert.equal(again.header('content-encoding'), coding)
      }
      assert.equal(runs(), 1)
    },
  }
}

function empty(status: number): AdapterBehaviour {
  return {
    title: `may be empty: ${status} is sent and repeated as it is`,
    async run({ serve, name }: Parameters<AdapterBehaviour['run']>[0]) {
      const headers = [['content-encoding', 'gzip']] as const
      const { handler, runs } = counted(() => ({ status, headers }))
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key, accepting('gzip'))
      assert.equal(first.status, status)
      assert.equal(first.bytes.length, 0)
      for (const asked of [accepting('gzip'), accepting('identity')]) {
        const again = await site.post(key, asked)
        expectReplay(again, first)
        assert.equal(again.header('content-encoding'), first.header('content-encoding'))
        expectBody(again, Buffer.alloc(0))
      }
      assert.equal(runs(), 1)
    },
  }
}
