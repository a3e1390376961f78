import { OptionsError } from '@oncekey/core'
import { Gauge, Histogram, type Registry } from 'prom-client'
import { type GaugeSources, gauges } from './gauges.ts'
import { BOUNDS, type Instrument, instruments } from './instruments.ts'
import { seriesOf } from './series.ts'
import type { Traces } from './traces.ts'
import { watch } from './watch.ts'

export interface PrometheusOptions extends GaugeSources {
  /** The registry for all metrics of this function; nothing is registered elsewhere. */
  readonly register: Registry
  /** Upper bounds of the histograms' buckets. Seconds. @default 1 ms to 30 s, 14 of them */
  readonly buckets?: readonly number[]
}

/**
 * Metrics for Prometheus: histograms of what this process does, and gauges of what is in the
 * database. Returns a function that removes all of them.
 *
 * @example
 * ```ts
 * import { register } from 'prom-client'
 *
 * prometheus({
 *   register,
 *   deadLetters: [log.deadLetters, hooks.deadLetters],
 *   lag: { log, consumers: ['mailer', 'search'] },
 *   keys: store.keys,
 * })
 * app.get('/metrics', async (_, res) => res.type(register.contentType).send(await register.metrics()))
 * ```
 */
export function prometheus({
  register,
  buckets = BOUNDS,
  ...sources
}: PrometheusOptions): () => void {
  if (typeof register?.registerMetric !== 'function') {
    throw new OptionsError(
      'prometheus: register is missing. Write `register` of prom-client, or a Registry of your own.',
    )
  }
  const names: string[] = []
  const stops = instruments().map((instrument) => {
    const name = `${underscored(instrument.name)}_seconds`
    names.push(name)
    const histogram = new Histogram({
      name,
      help: instrument.description,
      labelNames: [...instrument.labels],
      buckets: [...buckets],
      registers: [register],
    })
    return observe(instrument, histogram)
  })
  for (const { name, help, labels, ask } of gauges(sources)) {
    names.push(name)
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [register],
      // The registry awaits this. Values of the previous scrape are dropped.
      async collect() {
        this.reset()
        for (const [values, value] of await ask()) this.set(labelled(labels, values), value)
      },
    })
  }
  return () => {
    for (const stop of stops) stop()
    for (const name of names) register.removeSingleMetric(name)
  }
}

function observe(instrument: Instrument, histogram: Histogram): () => void {
  const { trace, labels } = instrument
  const series = seriesOf((values) => histogram.labels(labelled(labels, values)))
  return watch(trace, {
    end(context: Traces[keyof Traces]) {
      const seconds = instrument.seconds(context as never)
      if (seconds === undefined) return
      series(instrument.values(context as never)).observe(seconds)
    },
  })
}

function labelled(labels: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, at) => [label, values[at] ?? '']))
}

function underscored(name: string): string {
  return name.replaceAll('.', '_')
}
