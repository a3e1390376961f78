import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { wrapProse } from '../wrap-prose.ts'
import { interfaceDocs, type Member } from './interface-docs.ts'
import { code, head, table } from './table.ts'

/**
 * The files that declare messages and traces, with the name of its channel before each interface.
 */
const FILES: readonly string[] = [
  'packages/core/src/telemetry/traces.ts',
  'packages/core/src/telemetry/channels.ts',
  'packages/core/src/telemetry/trace.ts',
  'packages/webhooks/src/telemetry/channels.ts',
  'packages/saga/src/telemetry/channels.ts',
  'packages/saga/src/telemetry/alert.ts',
]

interface Channel {
  readonly name: string
  readonly text: string
  readonly isTrace: boolean
  readonly members: readonly Member[]
}

/** Every diagnostics channel with the properties of its messages. */
export function renderChannels(root: string): string {
  const channels = channelsOf(root)
  const part = (title: string, text: string, isTrace: boolean) => [
    `## ${title}`,
    wrapProse(text),
    ...channels.filter((one) => one.isTrace === isTrace).flatMap(section),
  ]
  return `${[
    head(
      'Channels',
      wrapProse(
        'What the packages publish with `node:diagnostics_channel`. Without a subscriber no message ' +
          'is made. [Telemetry](../telemetry.md) makes metrics, spans and log lines of it.',
      ),
    ),
    ...part(
      'Traces',
      'A TracingChannel each: `tracing:NAME:start`, `end`, `asyncStart`, `asyncEnd` and `error` share ' +
        'one context, which is complete at `asyncEnd`. Subscribe with `watch(NAME, …)` of ' +
        '`@oncekey/telemetry` or `tracingChannel(NAME)` of Node.',
      true,
    ),
    ...part('Messages', 'One message for each thing that happened: `subscribe(NAME, …)`.', false),
  ].join('\n\n')}\n`
}

function section({ name, text, members }: Channel): string[] {
  return [
    `### ${name}`,
    wrapProse(text),
    table(
      ['property', 'type', ''],
      members.map((member) => [
        code(member.name),
        code(member.type.replace(/^\| /, '')),
        member.text,
      ]),
    ),
  ]
}

function channelsOf(root: string): Channel[] {
  const interfaces = new Map(
    FILES.flatMap((file) => {
      const names = readFileSync(join(root, file), 'utf8').matchAll(/^export interface (\w+)/gm)
      return [...names].map(
        ([, name = '']) => [name, interfaceDocs(join(root, file), name)] as const,
      )
    }),
  )
  const membersOf = (name: string): readonly Member[] => {
    const docs = interfaces.get(name)
    if (!docs) return []
    const inherited = docs.parents.flatMap(
      (parent) => parent.match(/\w+/g)?.flatMap((word) => membersOf(word)) ?? [],
    )
    const own = new Set(docs.members.map((member) => member.name))
    return [...docs.members, ...inherited.filter((member) => !own.has(member.name))]
  }
  return [...interfaces].flatMap(([name, docs]) => {
    const [, channel, text] = /^`(oncekey:[a-z-]+)`: (.+)$/.exec(docs?.text ?? '') ?? []
    if (channel === undefined || text === undefined) return []
    const isTrace = docs?.parents.includes('TracedContext') ?? false
    const sentence = text.charAt(0).toUpperCase() + text.slice(1)
    return [{ name: channel, text: sentence, isTrace, members: membersOf(name) }]
  })
}
