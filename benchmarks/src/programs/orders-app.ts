import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Pool } from 'pg'
import type { Contender } from '../contenders/contender.ts'
import { type ContenderName, contenders } from '../contenders/contenders.ts'
import { ORDER } from '../contenders/order.ts'
import { closedLoop, type Load } from '../load.ts'
import { answer, cpuMicros } from '../verbs.ts'

let contender: Contender | undefined

const verbs = {
  /** Returns the port on which it takes orders. */
  async listen(options: AppOptions): Promise<number> {
    const { url, connections, pipeline, ...rest } = options
    // Connections stay open between rounds, so that no round starts with opening them.
    const pool = new Pool({
      connectionString: url,
      max: connections,
      pipeline,
      idleTimeoutMillis: 0,
    })
    contender = contenders[options.contender]({ pool, ...rest })
    const app = express()
    app.use(express.json())
    contender.mount(app)
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },

  /** Places orders without HTTP, from inside this process. */
  place(load: { requests: number; concurrency: number }): Promise<Load> {
    return closedLoop(load, async () => {
      const status = await contender?.place({ key: randomUUID(), order: ORDER })
      if (status !== 201) throw new Error(`an order was answered ${status}`)
    })
  },

  cpuMicros,
}

export interface AppOptions {
  readonly contender: ContenderName
  readonly url: string
  readonly connections: number
  readonly pipeline: boolean
  readonly prepare: boolean
  readonly event: boolean
}

export type OrdersApp = typeof verbs

answer(verbs)
