import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { otel } from '@oncekey/telemetry/otel'
import { prometheus } from '@oncekey/telemetry/prometheus'
import express from 'express'
import { Pool } from 'pg'
import { Registry } from 'prom-client'
import { contenders } from '../contenders/contenders.ts'
import { meters, startTracing } from '../open-telemetry.ts'
import { answer, cpuMicros } from '../verbs.ts'

const verbs = {
  /** Returns the port on which it takes orders. */
  async listen({ url, connections, watch }: WatchedOptions): Promise<number> {
    watchers[watch]()
    // Connections stay open between rounds, so that no round starts with opening them.
    const pool = new Pool({ connectionString: url, max: connections, idleTimeoutMillis: 0 })
    const app = express()
    app.use(express.json())
    contenders.Oncekey({ pool, prepare: false, event: false }).mount(app)
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },

  cpuMicros,
}

const watchers = {
  nobody: () => {},
  prometheus: () => {
    prometheus({ register: new Registry() })
  },
  /** Every request is sampled. */
  otel: () => {
    startTracing()
    otel({ meterProvider: meters() })
  },
}

export interface WatchedOptions {
  readonly url: string
  readonly connections: number
  readonly watch: keyof typeof watchers
}

export type WatchedApp = typeof verbs

answer(verbs)
