// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camerauri.h"

#include <gtest/gtest.h>

namespace nv12slot::gst {
namespace {

struct Uri {
  const char* given;
  const char* uri;  // what is shown
  const char* user;
  const char* password;
};

TEST(CameraUriTest, credentials_are_taken_out_however_they_are_written) {
  for (const Uri& uri : {
           Uri{"rtsp://me:secret@camera:554/a?b=c", "rtsp://camera:554/a?b=c", "me", "secret"},
           Uri{"rtsp://me@camera/a", "rtsp://camera/a", "me", ""},
           Uri{"rtsp://me:p%40s%2Fs@camera", "rtsp://camera", "me", "p@s/s"},
           // Wrong, and common: not encoded.
           Uri{"rtsp://me:p@ss@camera/a", "rtsp://camera/a", "me", "p@ss"},
           Uri{"rtsp://me:p/ss@camera/a", "rtsp://camera/a", "me", "p/ss"},
           Uri{"rtsp://me:p?s#s@camera/a", "rtsp://camera/a", "me", "p?s#s"},
           Uri{"rtsp://me:p/s@s@camera/a", "rtsp://camera/a", "me", "p/s@s"},
           Uri{"rtsp://me:secret@[::1]:554/a", "rtsp://[::1]:554/a", "me", "secret"},
           // No URIs; errors show them.
           Uri{"me:secret@camera/a", "camera/a", "me", "secret"},
           Uri{"me:p@s/s@camera/a", "camera/a", "me", "p@s/s"},
           Uri{"rtsp:/me:secret@camera/a", "rtsp:/camera/a", "me", "secret"},
       }) {
    const CameraUri camera = split_credentials(uri.given);
    EXPECT_EQ(camera.uri, uri.uri) << uri.given;
    EXPECT_EQ(camera.user, uri.user) << uri.given;
    EXPECT_EQ(camera.password, uri.password) << uri.given;
  }
}

TEST(CameraUriTest, uri_without_credentials_stays_as_it_is) {
  for (const char* const uri :
       {"", "rtsp://camera:554/a@b:c", "rtsp://camera/a?to=me@there", "rtsp://[fe80::1]:554/a@b",
        "file:///home/me:you@here/a@b.mp4", "data:text/plain,me@here", "camera", "rtsp://",
        "rtsp://camera:/a@b"}) {
    const CameraUri camera = split_credentials(uri);
    EXPECT_EQ(camera.uri, uri);
    EXPECT_EQ(camera.user, "") << uri;
    EXPECT_EQ(camera.password, "") << uri;
  }
}

TEST(CameraUriTest, joined_credentials_are_the_same_when_split_again) {
  const CameraUri camera{"srt://camera:9000?mode=caller", "m:e@", "p/@:ss w"};
  const std::string joined = join_credentials(camera);
  EXPECT_EQ(joined, "srt://m%3Ae%40:p%2F%40%3Ass%20w@camera:9000?mode=caller");
  const CameraUri again = split_credentials(joined);
  EXPECT_EQ(again.uri, camera.uri);
  EXPECT_EQ(again.user, camera.user);
  EXPECT_EQ(again.password, camera.password);
}

TEST(CameraUriTest, password_is_hidden_in_what_others_say_however_they_write_it) {
  const CameraUri camera{"srt://camera", "me", "p@ss"};
  EXPECT_EQ(hide_credentials("Could not open srt://me:p%40ss@camera.", camera),
            "Could not open srt://***@camera.");
  EXPECT_EQ(hide_credentials("me:p@ss p@ss p%40ss me", camera), "*** *** *** me");
  EXPECT_EQ(hide_credentials("nothing", {"srt://camera", "", ""}), "nothing");
}

}  // namespace
}  // namespace nv12slot::gst
