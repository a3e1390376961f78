import { keyTarget, type Operation, type OperationFilter } from '@oncekey/core'
import { usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { PAGE } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import { pageOf, tellNext } from '../command/paging.ts'
import { storeOf } from '../connection/store.ts'

export const operationsCommands: readonly Command[] = [
  {
    path: 'operations list',
    summary: 'List what was done from outside, by whom and why, the newest first',
    server: 'postgres-or-redis',
    viaDashboard: true,
    options: {
      actor: { value: 'who', help: 'Only what this actor did.' },
      act: { value: 'act', help: 'Only acts of this kind, such as keys.release.' },
      key: { value: 'key', help: 'Only what was done to this key; with --scope.' },
      scope: { value: 'scope', help: 'The scope of --key.' },
      namespace: { value: 'name', help: 'The namespace of --key. Default: http.' },
      target: { value: 'text', help: 'Only what was done to this target.' },
      since: { value: 'time', help: 'From then on: a time, or so long ago, such as 2h.' },
      until: { value: 'time', help: 'Up to then.' },
      ...PAGE,
    },
    examples: ['operations list --since 24h', 'operations list --key b51d0a30 --scope customer-7'],
    run: listOperations,
  },
]

async function listOperations(call: Call): Promise<ExitCode> {
  const { operations } = await storeOf(call)
  const page = await operations.list(filterOf(call), pageOf(call.given))
  await call.out.result(page, (text) => {
    if (page.items.length === 0) text.line`Nothing is on record of that.`
    else text.table(['at', 'actor', 'act', 'target', 'note'], page.items.map(rowOf))
    tellNext(text, page.next)
  })
  return ExitCode.done
}

function filterOf({ given }: Call): OperationFilter {
  const [actor, act, key] = [given.text('actor'), given.text('act'), given.text('key')]
  const [since, until] = [given.time('since'), given.time('until')]
  if (key !== undefined && given.text('target') !== undefined) {
    throw usageError('--key and --target are two things: write one of them.')
  }
  const target =
    key === undefined
      ? given.text('target')
      : keyTarget({
          namespace: given.text('namespace') ?? 'http',
          scope: given.required('scope'),
          key,
        })
  return {
    ...(actor !== undefined && { actor }),
    ...(act !== undefined && { act }),
    ...(target !== undefined && { target }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
}

function rowOf({ at, actor, act, target, note }: Operation): unknown[] {
  return [at, actor, act, target, note]
}
