import { type Html, html } from '../../html/html.ts'
import { badge, duration } from '../../html/parts.ts'
import type { ShownStep, ShownWholeRun } from '../../sources/sagas.ts'

/**
 * A picture of a run: its steps in order, with the state of each, how long it took, and when it was
 * undone. The pivot is marked, because after it a saga only goes forward.
 */
export function flow(run: ShownWholeRun): Html {
  const { plan, steps, startedAt, endedAt } = run
  const begun = new Map(steps.map((step) => [step.name, step]))
  const from = startedAt.getTime()
  const until = Math.max(endedAt?.getTime() ?? Date.now(), from + 1)
  return html`<ol class="flow">${plan.map(({ name, kind }) => {
    const step = begun.get(name)
    const state = isStuckAt(run, name) ? 'stuck' : step?.state
    return html`<li data-state="${state ?? 'to-come'}">
<b>${name}</b> ${kind === 'compensatable' ? undefined : html`<span class="note">${kind}</span>`}
<div>${badge(state ?? 'to come')}</div>
${step && html`<div class="note">${toldOf(step)}</div>${bar(step, from, until)}`}
</li>`
  })}</ol>`
}

function isStuckAt({ state, failedStep }: ShownWholeRun, name: string): boolean {
  return (state === 'stuck' || state === 'compensation-failed') && failedStep === name
}

function toldOf({
  attempts,
  compensationAttempts,
  begunAt,
  doneAt,
  compensatedAt,
}: ShownStep): Html {
  const tries = attempts > 1 ? `, attempt ${attempts}` : ''
  const took =
    doneAt === undefined
      ? `begun ${duration(Date.now() - begunAt.getTime())} ago${tries}`
      : `took ${duration(doneAt.getTime() - begunAt.getTime())}${tries}`
  const undone =
    compensatedAt !== undefined
      ? html`<br>undone in ${duration(compensatedAt.getTime() - (doneAt ?? begunAt).getTime())} after it`
      : compensationAttempts > 0
        ? html`<br>${compensationAttempts} attempts to undo it failed`
        : undefined
  return html`${took}${undone}`
}

/**
 * Draws when in the run's time the step was done, and when it was undone. It is hidden from screen
 * readers, because the text of the row says the same.
 */
function bar(step: ShownStep, from: number, until: number): Html {
  const at = (time: Date): number => ((time.getTime() - from) / (until - from)) * 100
  const begun = at(step.begunAt)
  const done = step.doneAt === undefined ? (step.state === 'begun' ? 100 : begun) : at(step.doneAt)
  const back = step.compensatedAt && at(step.compensatedAt)
  return html`<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
<rect class="ground" width="100" height="6"/>
<rect class="forth" x="${shown(begun)}" width="${shown(Math.max(done - begun, 1))}" height="6"/>
${back !== undefined && html`<rect class="back" x="${shown(Math.min(back, 99))}" width="1" height="6"/>`}
</svg>`
}

const shown = (share: number): string => Math.min(Math.max(share, 0), 100).toFixed(2)
