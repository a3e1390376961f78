import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Effect {
  readonly path: string
  readonly body: { readonly id?: string; readonly about?: string; readonly cents?: number }
}

/**
 * The payment gateway, the carrier and the mail server: they lose answers, refuse some requests,
 * and record every effect.
 */
export interface OutsideWorld {
  readonly url: string
  /**
   * The effects of requests to a path. A request with a repeated idempotency key is answered, and
   * has no new effect.
   */
  effects(path: string): Effect['body'][]
  /** Requests that failed, and answers that were lost after an effect. */
  readonly trouble: { failed: number; lost: number; repeated: number }
  mailIsUp: boolean
  close(): Promise<void>
}

export async function outsideWorld(): Promise<OutsideWorld> {
  const ledger = new Map<string, Effect>()
  const world: Omit<OutsideWorld, 'url'> = {
    effects: (path) =>
      [...ledger.values()].filter((effect) => effect.path === path).map(({ body }) => body),
    trouble: { failed: 0, lost: 0, repeated: 0 },
    mailIsUp: false,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return Object.assign(world, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    const key = String(request.headers['idempotency-key'])
    let text = ''
    for await (const chunk of request) text += chunk
    const body = JSON.parse(text)
    const isDown = path === '/mails' ? !world.mailIsUp : Math.random() < 0.15
    if (isDown) {
      world.trouble.failed++
      return end(503)
    }
    if (body.card === 'declined') return end(402)
    if (body.address === 'nowhere') return end(422)
    if (ledger.has(key)) world.trouble.repeated++
    // A refund of a charge that never happened does nothing, and is no error.
    else if (path !== '/refunds' || isCharged(body.id)) ledger.set(key, { path, body })
    if (Math.random() < 0.1) {
      world.trouble.lost++
      return void request.socket.destroy()
    }
    end(200)

    function end(status: number): void {
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    }
  }

  function isCharged(id: string): boolean {
    return world.effects('/charges').some((charge) => charge.id === id)
  }
}
