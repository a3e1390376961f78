import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { otel } from '@oncekey/telemetry/otel'
import { prometheus } from '@oncekey/telemetry/prometheus'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import express from 'express'
import { Pool } from 'pg'
import { Registry } from 'prom-client'
import { contenders } from '../contenders/contenders.ts'
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
  /** Spans are made, sampled and batched as in production, and dropped where they would be sent. */
  otel: () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    const exporter = {
      export: (_: unknown, done: (result: { code: ExportResultCode }) => void) =>
        done({ code: ExportResultCode.SUCCESS }),
      shutdown: async () => {},
    }
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }),
    )
    const reader = new PeriodicExportingMetricReader({
      exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
      exportIntervalMillis: 3_600_000,
    })
    otel({ meterProvider: new MeterProvider({ readers: [reader] }) })
  },
}

export interface WatchedOptions {
  readonly url: string
  readonly connections: number
  readonly watch: keyof typeof watchers
}

export type WatchedApp = typeof verbs

answer(verbs)
