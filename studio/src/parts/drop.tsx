import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { Button } from "./controls";
import { ofDrop, ofInput, type Given } from "./dropped";
import type { IconName } from "./icons";

interface DropProps {
  onGiven: (given: Given[]) => void;
  choose: { words: string; folder?: boolean; accept?: string; icon?: IconName }[];
  children?: ComponentChildren;
  small?: boolean;
}

/** A place to drop files on; the same can be done by buttons, for keyboards and touch. */
export function Drop({ onGiven, choose, children, small }: DropProps) {
  const [over, setOver] = useState(false);
  return (
    <div
      class={`drop${over ? " over" : ""}${small === true ? " small" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer !== null) void ofDrop(event.dataTransfer).then(onGiven);
      }}
    >
      {children}
      <div class="row center">
        {choose.map((way) => (
          <Chooser key={way.words} {...way} onGiven={onGiven} />
        ))}
      </div>
    </div>
  );
}

function Chooser({
  words,
  folder,
  accept,
  icon,
  onGiven,
}: DropProps["choose"][number] & Pick<DropProps, "onGiven">) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={(element) => {
          input.current = element;
          if (folder === true) element?.setAttribute("webkitdirectory", "");
        }}
        class="hidden"
        type="file"
        multiple
        accept={accept}
        aria-label={words}
        tabIndex={-1}
        onChange={(event) => {
          const given = ofInput(event.currentTarget.files);
          event.currentTarget.value = "";
          if (given.length > 0) onGiven(given);
        }}
      />
      <Button {...(icon === undefined ? {} : { icon })} onClick={() => input.current?.click()}>
        {words}
      </Button>
    </>
  );
}
