import assert from 'node:assert/strict'
import type { HeaderChange } from '@oncekey/core'
import type { StoreBehaviour, StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectDecision, expectReplay, responseOf } from '../fixture/store-context.ts'

/** A response is replayed byte for byte. */
export function byteExactness(): StoreBehaviourGroup {
  return {
    title: 'byte-exact responses',
    behaviours: [
      ...bodies.map(([what, body]) => replays(`a body of ${what}`, { body })),
      ...headers.map(([what, changes]) => replays(what, { headers: changes })),
      ...[200, 201, 202, 204, 302, 404, 418, 599].map((status) =>
        replays(`status ${status}`, { status }),
      ),
      replays('the id of the key a response is sealed with', { seal: 'key-2026' }),
      {
        title: 'replays the same through another instance',
        needs: ['another instance'],
        async run({ claim, retry, begin, finish, another }) {
          const first = claim()
          const response = responseOf('', { body: everyByte, seal: 'k', headers: headers[0][1] })
          await finish(first, { response })
          expectReplay(await begin(retry(first), await another()), response)
        },
      },
      {
        title: 'what the caller does to its arrays after completing does not change the record',
        async run({ claim, retry, begin, finish }) {
          const first = claim()
          const body = new TextEncoder().encode('as it was')
          const lines: [string, string | null][] = [['x-one', '1']]
          await finish(first, { response: { status: 200, headers: lines, body, seal: null } })
          body.fill(0)
          lines[0] = ['x-two', '2']
          lines.push(['x-three', '3'])
          expectReplay(
            await begin(retry(first)),
            responseOf('as it was', { status: 200, headers: [['x-one', '1']] }),
          )
        },
      },
      {
        title: 'what a caller does to a replay does not change the record',
        async run({ claim, retry, begin, finish }) {
          const first = claim()
          await finish(first, { response: responseOf('as it was') })
          const replay = expectDecision(await begin(retry(first)), 'replay')
          replay.response.body?.fill(0)
          expectReplay(await begin(retry(first)), responseOf('as it was'))
        },
      },
      {
        title: 'a completed key whose body was not kept answers `result-gone`, not an empty body',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          const response = responseOf('', { body: null })
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          expectDecision(await begin(retry(first)), 'result-gone')
        },
      },
    ],
  }
}

function replays(what: string, differently: Parameters<typeof responseOf>[1]): StoreBehaviour {
  return {
    title: `replays ${what}`,
    async run({ claim, retry, begin, finish }) {
      const first = claim()
      const response = responseOf('the body', differently)
      await finish(first, { response })
      expectReplay(await begin(retry(first)), response)
    },
  }
}

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)

const bodies: readonly [string, Uint8Array][] = [
  ['no bytes at all', new Uint8Array()],
  ['zero bytes', new Uint8Array(3)],
  ['bytes that are not UTF-8', Uint8Array.of(0x25, 0xff, 0x00, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80)],
  ['every byte there is', everyByte],
  ['text beyond ASCII', new TextEncoder().encode('{"name":"Zoë 🧾 日本"}')],
  ['JSON, its spaces included', new TextEncoder().encode('{ "b":1,\n "a" : 1.0 }')],
  ['1 MiB', Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 31) % 256)],
]

const headers: readonly [[string, HeaderChange[]], ...[string, HeaderChange[]][]] = [
  [
    'headers in the order they were set, several values apart',
    [
      ['x-b', '2'],
      ['x-a', '1'],
      ['link', '</a>; rel="next"'],
      ['x-b', '1, 3'],
      ['link', '</b>; rel="prev"'],
    ],
  ],
  [
    'headers that the handler removed',
    [
      ['x-powered-by', null],
      ['etag', '"1"'],
    ],
  ],
  [
    'header names and values as they were written',
    [
      ['Content-Type', 'text/plain; charset="utf-8"'],
      ['x-empty', ''],
      ['x-latin', 'caf\u00e9'],
      ['x-bytes', Buffer.from(Array.from({ length: 128 }, (_, n) => n + 128)).toString('latin1')],
      ['__proto__', 'x'],
      ['x-quoted', '\\"{}[]\'%00'],
    ],
  ],
  [
    'a header line that goes beside those already set',
    [
      ['content-encoding', null],
      ['vary', 'Accept-Encoding', 'added'],
      ['etag', '"1"'],
    ],
  ],
  ['no headers', []],
]
