import { idempotency as ofWeb } from '@oncekey/web'
import { ORDER, type Order } from '../contenders/order.ts'
import { type InProcessClient, inProcessClient } from './in-process-client.ts'
import { type ServerName, servers } from './servers.ts'
import type { Work } from './work.ts'

export type AppName = ServerName | 'web'

export const appNames: readonly AppName[] = [...(Object.keys(servers) as ServerName[]), 'web']

/** Starts an app whose only route places an order. Returns what sends requests to it. */
export async function startApp(name: AppName, work: Work): Promise<InProcessClient> {
  if (name === 'web') return webApp(work)
  return inProcessClient(await servers[name](work), '/orders', BODY)
}

/** A handler of `@oncekey/web`, called without a server. */
function webApp({ store, place }: Work): InProcessClient {
  const once = store && ofWeb({ store, scope: () => 'account-1' })
  const handler = async (request: Request): Promise<Response> => {
    const order = (await request.json()) as Order
    return Response.json(await place(order, once?.of(request).transaction), { status: 201 })
  }
  const handle = once === undefined ? handler : once(handler)
  const headers = { 'content-type': 'application/json' }
  return {
    async post(key) {
      const response = await handle(
        new Request('http://a/orders', {
          method: 'POST',
          body: BODY,
          headers: { ...headers, 'idempotency-key': key },
        }),
      )
      await response.text()
      return response.status
    },
    writes: () => 0,
  }
}

const BODY: string = JSON.stringify(ORDER)
