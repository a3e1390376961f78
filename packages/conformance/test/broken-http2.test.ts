import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import {
  type CallStream,
  http2Behaviours,
  memoryStores,
  runAdapterBehaviour,
  type ServeSite,
} from '@oncekey/conformance'
import {
  createEngine,
  type EngineRequest,
  type HandlerRun,
  type HeaderChange,
  type PlainResponse,
} from '@oncekey/core'
import { describe, expect, test } from 'vitest'

/** What an adapter can get wrong about the stream. Without a fault it is correct. */
type Fault = 'sends at once' | 'keeps a half' | 'undoes what is whole'

const behaviours = http2Behaviours().flatMap(({ behaviours }) => behaviours)

const caught: Record<Fault, readonly RegExp[]> = {
  'sends at once': [/a retry replays it$/, /without a body/, /the commit fails/, /after its resp/],
  'keeps a half': [/halfway/],
  'undoes what is whole': [/after its response/],
}

describe('the contract about HTTP/2 streams', () => {
  test.each(behaviours.map(({ title }) => title))(
    'holds for a right adapter: %s',
    async (title) => {
      expect(await failing(undefined, title)).toBe(false)
    },
  )

  test.each(Object.keys(caught) as Fault[])('rejects an adapter that %s', async (fault) => {
    for (const { title } of behaviours) {
      if (caught[fault].some((sentence) => sentence.test(title))) {
        expect(await failing(fault, title), title).toBe(true)
      }
    }
  })

  test('has no sentence that none of these adapters breaks', () => {
    const sentences = Object.values(caught).flat()
    const unbroken = behaviours.filter(({ title }) => !sentences.some((each) => each.test(title)))
    expect(unbroken).toEqual([])
  })
})

async function failing(fault: Fault | undefined, title: string): Promise<boolean> {
  const behaviour = behaviours.find((each) => each.title === title)
  const [store] = memoryStores
  if (behaviour === undefined || store === undefined) throw new Error(title)
  return await runAdapterBehaviour(behaviour, serve(fault), () => store.create()).then(
    () => false,
    () => true,
  )
}

/** An adapter whose streams are HTTP/1.1 responses with the methods of an HTTP/2 stream. */
function serve(fault: Fault | undefined): ServeSite {
  return async (site) => {
    const engine = createEngine(site.options)
    const server = createServer(async (req, res) => {
      const begun = await engine.begin(requestOf(req, await buffer(req)))
      if (begun.kind !== 'run') return send(res, begun.response)
      const stream = streamOf(res, begun.run, fault)
      const [route] = site.routes
      void route?.handler({ context: begun.run.context, body: undefined, stream })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      drain: engine.drain,
      async close() {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }
}

function streamOf(res: ServerResponse, run: HandlerRun, fault: Fault | undefined): CallStream {
  let status = 200
  let headers: HeaderChange[] = []
  let body = ''
  let isEnded = false
  const done = async (): Promise<void> => {
    const verdict = await run.complete({ status, headers, body: Buffer.from(body) })
    send(
      res,
      'response' in verdict ? verdict.response : { status, headers, body: Buffer.from(body) },
    )
  }
  const undone = (): void => void run.abandon().then(() => res.destroy())
  const stream: CallStream = {
    respond({ ':status': code = 200, ...rest } = {}, { endStream = false } = {}) {
      status = Number(code)
      headers = Object.entries(rest).map(([name, value]) => [name, String(value)] as const)
      if (endStream) stream.end()
    },
    write(chunk) {
      body += chunk
      return true
    },
    end(chunk = '') {
      body += chunk
      isEnded = true
      if (fault === 'sends at once') send(res, { status, headers, body: Buffer.from(body) })
      else if (fault === 'undoes what is whole') setImmediate(() => res.destroyed || done())
      else void done()
    },
    close() {
      if (fault === 'undoes what is whole') res.destroy()
      if (isEnded) return
      if (fault === 'keeps a half') void done()
      else undone()
    },
  }
  return stream
}

function send(res: ServerResponse, { status, headers, body }: PlainResponse): void {
  for (const [name, value] of headers) if (value !== null) res.setHeader(name, value)
  res.writeHead(status).end(body)
}

function requestOf(req: IncomingMessage, bytes: Buffer): EngineRequest {
  const body = { kind: 'bytes', bytes } as const
  const { method = '', url: target = '' } = req
  return {
    method,
    target,
    native: req,
    scope: 'dangerously-shared',
    header: (name) => req.headersDistinct[name] ?? [],
    fingerprintInput: () => ({ method, target, contentType: req.headers['content-type'], body }),
    rawBody: () => body,
    signal: new AbortController().signal,
  } as EngineRequest
}
