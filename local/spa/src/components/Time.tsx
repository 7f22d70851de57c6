const clock = new Intl.DateTimeFormat("en-IE", { hour: "2-digit", minute: "2-digit" });
const exactClock = new Intl.DateTimeFormat("en-IE", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-IE", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-IE", { dateStyle: "full", timeStyle: "long" });

export function Time({ at, seconds = false }: { at: string; seconds?: boolean }) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return null;
  const today = time.toDateString() === new Date().toDateString();
  const words = (seconds ? exactClock : clock).format(time);
  return (
    <time dateTime={at} title={full.format(time)}>
      {today ? words : `${day.format(time)}, ${words}`}
    </time>
  );
}
