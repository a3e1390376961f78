import { gauges } from '../../packages/telemetry/src/gauges.ts'
import { instruments } from '../../packages/telemetry/src/instruments.ts'
import { wrapProse } from '../wrap-prose.ts'
import { checkLabels, LABEL_VALUES } from './label-values.ts'
import { code, head, table } from './table.ts'

/** Every metric under both of its names, with its labels. */
export function renderMetrics(): string {
  const labels = (names: readonly string[]) => names.map(code).join(', ')
  const asked = gauges({
    deadLetters: [neverAsked],
    lag: { log: neverAsked, consumers: [] },
    keys: neverAsked,
  })
  checkLabels(instruments())
  return `${[
    head(
      'Metrics',
      wrapProse(
        'Durations are in seconds, and each histogram has a count. Keys, scopes, ids and customers ' +
          'are never labels. [Telemetry](../telemetry.md) says how to register them.',
      ),
    ),
    '## Histograms',
    wrapProse('OpenTelemetry names its labels `oncekey.<label>`, and the route `http.route`.'),
    table(
      ['Prometheus', 'OpenTelemetry', 'labels', ''],
      instruments().map(({ name, labels: names, description }) => [
        code(`${name.replaceAll('.', '_')}_seconds`),
        code(name),
        labels(names),
        description,
      ]),
    ),
    '## Values',
    wrapProse(
      'What the values of the labels mean. The others are names of yours: consumers, publishers, ' +
        'sagas, steps, namespaces and routes (`other` after 200 of them, `unknown` without one).',
    ),
    ...LABEL_VALUES.flatMap(({ title, values }) => [
      `### ${title}`,
      table(
        ['value', ''],
        Object.entries(values).map(([value, meaning]) => [
          value.includes(' ') ? value : code(value),
          meaning,
        ]),
      ),
    ]),
    '## Gauges',
    wrapProse('Prometheus only. Each is asked for with one bounded query at every scrape.'),
    table(
      ['Prometheus', 'labels', ''],
      asked.map(({ name, labels: names, help }) => [code(name), labels(names), help]),
    ),
  ].join('\n\n')}\n`
}

const never = async (): Promise<never> => {
  throw new Error('The gauges are only listed here.')
}
const neverAsked = { name: 'none', stats: never, lag: never, list: never }
