import { actOnRunAsItIs } from '../functions/act-on-run-3.ts'
import { resumeAlsoWhatWaits } from '../functions/resume-run-4.ts'

/**
 * A resume forgives the attempts of a run that waits, too, and says if it found nothing to do. No
 * act goes by a snapshot that is older than the lock of its run.
 */
export function resumedWaits(schema: string): string[] {
  return [resumeAlsoWhatWaits(schema), actOnRunAsItIs(schema)]
}
