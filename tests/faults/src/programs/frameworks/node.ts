import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { idempotency } from '@oncekey/node'
import type { PoolClient } from 'pg'
import type { OrderRequest } from '../place-order.ts'
import { FAILED, type ServeWith, sendFromScratch } from './shop-front.ts'

export const serve: ServeWith = async ({ engine, place, port, leftOver }) => {
  const idempotent = idempotency<PoolClient>(engine)
  const server = createServer((req, res) => {
    if (req.method === 'GET') return void res.end(String(leftOver()))
    void idempotent(req, res, (error) => {
      const placed = error === undefined ? answer(req, res) : Promise.reject(error)
      placed.catch(() => sendFromScratch(res, 500, FAILED))
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const order: OrderRequest = JSON.parse(Buffer.concat(chunks).toString())
    const { status, body } = await place(order, idempotent.of(req))
    sendFromScratch(res, status, body)
  }
}
