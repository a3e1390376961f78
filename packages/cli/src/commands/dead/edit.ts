import { deadLetters } from '@oncekey/outbox'
import { usageError } from '../../command/cli-error.ts'
import type { Call, Command } from '../../command/command.ts'
import { ExitCode } from '../../command/exit-code.ts'
import { contentOf } from '../../command/given-file.ts'
import { deadLettersOf, sourceNames } from '../../connection/log.ts'
import { showRefused } from './shown-letter.ts'

export const deadEditCommand: Command = {
  path: 'dead edit',
  summary: 'Deliver a dead letter with other data, as a new event',
  details:
    'The letter is ended as replaced, and the event that takes its place has an id of its own: a consumer\n' +
    'that has taken the old one may take this one, too. What changed is in the audit, up to 100 values.\n' +
    'dead show --data prints the data to begin with. The input of a saga cannot be edited.',
  server: 'postgres-or-redis',
  viaDashboard: true,
  act: 'asks',
  operands: [{ name: 'id' }],
  options: {
    of: { value: 'source', choices: sourceNames, help: 'Whose dead letter. Default: consumers.' },
    'data-file': { value: 'path', help: 'All of its data, as JSON; - for stdin; required.' },
  },
  examples: ["dead edit 17 --data-file data.json --note 'the address was misspelt' --yes"],
  run: editDead,
}

async function editDead(call: Call): Promise<ExitCode> {
  const id = call.given.operand('id')
  const path = call.given.required('data-file')
  const act = call.act()
  const data = jsonText((await contentOf(call, 'data-file', path)).toString())
  const source = await deadLettersOf(call)
  if (source.replace === undefined) {
    throw usageError(
      `The data of a dead letter of ${source.name} cannot be exchanged: discard it, and append or start what it should have been.`,
    )
  }
  await call.confirm(`Dead letter ${id} of ${source.name} is delivered with other data.`, id)
  const replaced = await deadLetters(source).editAndRedrive(id, data, act)
  if (replaced.outcome !== 'replaced') {
    await call.out.result({ of: source.name, id, ...replaced, ...call.onRecord() }, (page) =>
      showRefused(page, [{ id, outcome: replaced.outcome }]),
    )
    return ExitCode.found
  }
  const { id: next, eventId, outcome } = replaced
  const document = { of: source.name, id, outcome, next, eventId, ...call.onRecord() }
  await call.out.result(document, (page) => {
    page.line`${next} took the place of ${id}, with the event id ${eventId}.`
  })
  return ExitCode.done
}

/**
 * Returns the text itself instead of a parsed value, because parsing would change numbers above
 * 2^53.
 */
function jsonText(text: string): string {
  try {
    JSON.parse(text)
    return text.trim()
  } catch (error) {
    throw usageError(`--data-file must hold JSON: ${(error as Error).message}.`)
  }
}
