import type { Definition } from './definition.ts'

/** What a run stores about the saga with which it was started. */
interface Origin {
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly plan: readonly { readonly name: string; readonly kind: string }[]
}

/**
 * Explains why a run cannot continue here: its definition is not registered. A similar definition
 * is never used instead, because a renamed step may already have run under its old name.
 */
export function whyUnknown(
  { saga, version, plan }: Origin,
  definitions: ReadonlyMap<string, Definition>,
): string {
  const known = [...definitions.values()].filter(({ name }) => name === saga)
  const same = known.find((definition) => definition.version === version)
  const began = `It began with saga "${saga}" version ${version}`
  if (same === undefined) {
    const versions = known.map((definition) => definition.version).join(', ')
    const have = known.length === 0 ? 'no version of it' : `version ${versions}`
    return `${began}, and ${have} is registered here. Register that one beside the others until its last run has ended.`
  }
  const names = new Set(same.steps.map(({ name }) => name))
  const gone = plan.filter(({ name }) => !names.has(name)).map(({ name }) => `"${name}"`)
  const difference =
    gone.length > 0
      ? `the version ${version} registered here has no step ${gone.join(', ')}`
      : `the version ${version} registered here has other steps, another order or other kinds`
  return `${began}, with the steps ${plan.map(({ name }) => name).join(', ')}; ${difference}. Give the changed saga a new version, and register the one that this run began with beside it.`
}

/**
 * Explains why a run does not continue, for a process that has no sagas registered and sees only
 * that no process has taken the run.
 */
export function whyUntaken({ saga, version }: Origin): string {
  return (
    `It has been due for more than a minute, and no runner has taken it. Either no running ` +
    `process has registered saga "${saga}" version ${version} with these steps, or all are busy.`
  )
}
