import { hash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/**
 * The minimum that any plugin with our promises has to do on Fastify: keep the body as it arrives,
 * hash it once with SHA-256, wait for a store before the handler, and wait again to keep the
 * response; with a real store each wait may be a round trip. The plugin sets no timer, checks no
 * header, gives the handler nothing, and fails most cases of the conformance suite.
 */
export function leastPlugin(app: FastifyInstance): void {
  const records = new Map<string, Kept>()
  app.decorateRequest(KEPT, null)

  app.addHook('preParsing', (request, _reply, body, done) => {
    const kept: Kept = { chunks: [], fingerprint: '', status: 0, body: '' }
    ;(request as KeptRequest)[KEPT] = kept
    EventEmitter.prototype.on.call(body, 'data', (chunk) => kept.chunks.push(chunk))
    done()
  })

  app.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'] as string
    const kept = (request as KeptRequest)[KEPT] as Kept
    const [bytes = Buffer.alloc(0)] = kept.chunks
    kept.fingerprint = hash('sha256', `${request.method}${request.url}${bytes.toString()}`)
    const earlier = await find(key)
    if (earlier === undefined) records.set(key, kept)
    else if (earlier.fingerprint !== kept.fingerprint) return reply.code(422).send('')
    else return reply.code(earlier.status).type('application/json').send(earlier.body)
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const kept = (request as KeptRequest)[KEPT] as Kept
    await keep(kept, reply.statusCode, payload as string)
    return payload
  })

  async function find(key: string): Promise<Kept | undefined> {
    return records.get(key)
  }

  async function keep(kept: Kept, status: number, body: string): Promise<void> {
    kept.chunks = []
    kept.status = status
    kept.body = body
  }
}

interface Kept {
  chunks: Uint8Array[]
  fingerprint: string
  status: number
  body: string
}

const KEPT = Symbol('kept')

interface KeptRequest extends FastifyRequest {
  [KEPT]: Kept | null
}
