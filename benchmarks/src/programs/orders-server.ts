import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ServerName, servers } from '../request-costs/servers.ts'
import { type StoreName, type StoreServer, workOn } from '../request-costs/work.ts'
import { answer, cpuMicros } from '../verbs.ts'

let runs = 0

const verbs = {
  /** Returns the port on which it takes orders. */
  async listen(
    name: ServerName,
    store: StoreName,
    isBare: boolean,
    at: StoreServer,
  ): Promise<number> {
    const work = workOn(store, isBare, at)
    const server = await servers[name]({
      store: work.store,
      place(order, transaction) {
        runs += 1
        return work.place(order, transaction)
      },
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  runs: () => runs,
  cpuMicros,
}

export type OrdersServer = typeof verbs

answer(verbs)
