import { STARTED } from './start-attempt.ts'

/**
 * Refuses any transaction but the one that 'in_started' says when it began. A handler that committed by
 * itself has given up the lock, and what follows would be committed piece by piece. Told by the time,
 * which nothing a handler sends can change, where a setting goes with RESET ALL.
 */
export const REFUSE_OTHER_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`

/** The same for PGlite, too, whose clock counts milliseconds: there 'in_attempt' is the mark that was set. */
export const REFUSE_UNMARKED_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started
        or current_setting('oncekey.attempt', true) is distinct from in_attempt
          and in_attempt is not null
      then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`
