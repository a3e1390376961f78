import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { migrate } from '@oncekey/postgres'
import { type SigningSecret, verifyWebhook, webhookMigrations, webhooks } from '@oncekey/webhooks'
import type { Pool, PoolClient } from 'pg'
import { noteTaken } from './delivery-ledger.ts'

/**
 * The options shared by the relays that fan out and the workers that send. Nothing becomes a dead
 * letter.
 */
export function campaignWebhooks(pool: Pool) {
  return webhooks<PoolClient>({
    client: pool,
    customerOf: ({ type }) => (type === 'order.returned' ? CUSTOMER : undefined),
    allowAddresses: ['127.0.0.1'],
    allowHttp: true,
    timeoutMs: 2_000,
    schedule: () => 200,
    breakerFailures: 20,
    cooldownMs: 200,
    maxCooldownMs: 1_000,
  })
}

/**
 * Registers an endpoint that takes webhooks, refuses some, breaks off others, and records what it
 * took.
 */
export async function receiveWebhooks(
  pool: Pool,
  ledger: string,
): Promise<{ stop(): Promise<void> }> {
  let secrets: SigningSecret[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const header = (name: string) => request.headers[name]?.toString()
      const { id } = verifyWebhook({ header, body, secrets, toleranceSeconds: 2 * 86_400 })
      const chance = Math.random() * 1_000
      if (chance < 20) return void response.writeHead(503).end()
      noteTaken(ledger, [{ consumer: 'webhooks', id, relay: 'receiver' }])
      // The receiver has taken the webhook, and the sender does not learn that.
      if (chance < 30) return void response.destroy()
      response.writeHead(204).end()
    } catch {
      response.writeHead(400).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const hooks = campaignWebhooks(pool)
  await migrate(pool, { also: [webhookMigrations] })
  const { secret } = await hooks.endpoints.register({
    customer: CUSTOMER,
    url: `http://127.0.0.1:${port}/`,
    types: ['*'],
  })
  secrets = [secret]
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const CUSTOMER = 'campaign'
