import assert from 'node:assert/strict'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, expectProblem, expectReplay } from '../site/adapter-context.ts'
import type { CallStream, SiteHandler } from '../site/adapter-fixture.ts'
import { lostWith } from '../site/faulty-store.ts'

/** A handler that uses the HTTP/2 stream below its response. */
export function http2Streams(): AdapterBehaviourGroup {
  return {
    title: 'a handler with the HTTP/2 stream of its response',
    behaviours: [
      {
        title: 'that responds on the stream has its response on record: a retry replays it',
        async run({ serve, name }) {
          const { handler, runs } = counted(onStream(respondInPieces))
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key)
          assert.equal(`${first.status} ${first.text}`, '202 ab')
          assert.equal(first.header('x-own'), '1')
          const again = await site.post(key)
          expectReplay(again, first)
          assert.equal(again.header('x-own'), '1')
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'that responds on the stream without a body has its response on record',
        async run({ serve, name }) {
          const { handler, runs } = counted(
            onStream((stream) => stream.respond({ ':status': 204 }, { endStream: true })),
          )
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key)
          assert.equal(first.status, 204)
          expectReplay(await site.post(key), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'that responds on the stream sends nothing if the commit fails',
        async run({ serve, name }) {
          const site = await serve(onStream(respondInPieces), {
            faults: { complete: lostWith(new Error('connection lost')) },
          })
          const answer = await site.post(name())
          expectProblem(answer, 503, 'commit-failed')
          assert.equal(answer.header('x-own'), undefined)
        },
      },
      {
        title: 'that closes the stream halfway through is undone, and its key is free at once',
        async run({ serve, name }) {
          const { handler, runs } = counted(
            onStream((stream) => {
              if (runs() > 1) return respondInPieces(stream)
              stream.respond({ ':status': 202 })
              stream.write('half')
              stream.close(8)
            }),
          )
          const site = await serve(handler)
          const key = name()
          assert.equal(await site.post(key).catch(() => 'hung up'), 'hung up')
          const again = await site.post(key)
          assert.equal(`${again.status} ${again.text}`, '202 ab')
          expectReplay(await site.post(key), again)
          assert.equal(runs(), 2)
        },
      },
      {
        title: 'that closes the stream after its response has all of it sent and replayed',
        async run({ serve, name }) {
          const { handler, runs } = counted(
            onStream((stream) => {
              respondInPieces(stream)
              stream.close()
            }),
          )
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key)
          assert.equal(`${first.status} ${first.text}`, '202 ab')
          expectReplay(await site.post(key), first)
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}

function respondInPieces(stream: CallStream): void {
  stream.respond({ ':status': 202, 'content-type': 'text/plain', 'x-own': '1' })
  stream.write('a')
  stream.end('b')
}

/** A handler that uses the stream and gives the framework no reply. */
function onStream(use: (stream: CallStream) => void): SiteHandler {
  return ({ stream }) => {
    assert.ok(stream, 'the site has to pass call.stream')
    use(stream)
    return new Promise(() => {})
  }
}
