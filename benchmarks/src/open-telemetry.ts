import type { RequestListener } from 'node:http'
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
} from '@opentelemetry/sdk-trace-base'

/**
 * Registers the SDK for this process: spans are made and batched as in production, and dropped
 * where they would be sent.
 */
export function startTracing({ isSampled = true } = {}): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  const exporter = {
    export: (_: unknown, done: (result: { code: ExportResultCode }) => void) =>
      done({ code: ExportResultCode.SUCCESS }),
    shutdown: async () => {},
  }
  const provider = new BasicTracerProvider({
    spanProcessors: [new BatchSpanProcessor(exporter)],
    sampler: isSampled ? new AlwaysOnSampler() : new AlwaysOffSampler(),
  })
  trace.setGlobalTracerProvider(provider)
}

/** A provider of instruments that are exported to memory, once an hour. */
export function meters(): MeterProvider {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const exportIntervalMillis = 3_600_000
  return new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis })],
  })
}

/**
 * Has each request handled in a span of the server, as the SDK's instrumentation of `node:http`
 * does: with the caller's trace context, and attributes of the request and of the answer.
 */
export function inServerSpans(handle: RequestListener): RequestListener {
  const tracer = trace.getTracer('server')
  return (request, response) => {
    const caller = propagation.extract(ROOT_CONTEXT, request.headers)
    const { method = '', url = '', httpVersion, socket } = request
    const attributes = {
      'http.request.method': method,
      'url.scheme': 'http',
      'url.path': url,
      'server.address': request.headers.host,
      'client.address': socket.remoteAddress,
      'network.peer.address': socket.remoteAddress,
      'network.peer.port': socket.remotePort,
      'network.protocol.version': httpVersion,
    }
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, caller)
    response.once('close', () => {
      span.setAttribute('http.response.status_code', response.statusCode)
      span.end()
    })
    context.with(trace.setSpan(caller, span), handle, undefined, request, response)
  }
}
